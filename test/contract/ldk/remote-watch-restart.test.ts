/** A node whose disk holds only its ChannelManager and `told` dies and comes back (restart rules R3 to R6). */
import assert from "node:assert/strict";
import { RemoteWatchError } from "@farwatch/manager-service/ldk";
import { CHECKPOINT_AFTER_UPDATES, isLongLog } from "@farwatch/manager-service/ldk/restore";
import { must } from "@farwatch/protocol/assert";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";
import { killPoints } from "../../harness/in-process-ldk/kill-points.js";
import { settle, settleUntil } from "../../harness/in-process-ldk/settle.js";
import {
  closeStages,
  openedChannel,
  restart,
  stage,
  type Stage,
} from "../../harness/in-process-ldk/stage.js";

const AMOUNT_MSAT = 5_000_000n;
const isFault = (code: string) => (error: unknown) =>
  error instanceof RemoteWatchError && error.code === code;

const heldOf = ({ manager }: Stage) => must([...manager.channels.values()][0], "a channel");

describe("RemoteWatch: restart", function () {
  this.timeout(180_000);
  before(() => loadLdk());
  afterEach(closeStages);

  it("asks again for updates that were lost on the way (R5)", async () => {
    const made = await openedChannel();
    const { manager, a, pair } = made;
    manager.isDeaf = true;
    const hash = pair.pay(a.node, pair.b, AMOUNT_MSAT);
    pair.exchange();
    a.save();
    assert.ok(a.watch.backlog.unaccepted > 0);
    const before = manager.acceptedId(heldOf(made));
    manager.isDeaf = false;
    await restart(made);
    assert.ok(manager.acceptedId(heldOf(made)) > before);
    assert.ok(a.node.has(ldk.Event_PaymentSent, hash));
    assert.deepEqual(a.alarms, []);
  });

  it("takes the ChannelMonitor as it was told, though the manager-service has more (R3, R5)", async () => {
    const made = await openedChannel();
    const { manager, a, pair } = made;
    manager.holdsCompletions = true;
    const hash = pair.pay(a.node, pair.b, AMOUNT_MSAT);
    await settle(pair, a);
    assert.equal(a.node.has(ldk.Event_PaymentSent, hash), false);
    manager.holdsCompletions = false;
    const before = manager.repeats;
    await restart(made);
    assert.ok(manager.repeats > before);
    assert.ok(a.node.has(ldk.Event_PaymentSent, hash));
    assert.ok(made.lines.every((line) => !line.includes("stale compared")));
    assert.deepEqual(a.alarms, []);
  });

  for (const savedAfter of [false, true]) {
    const when = savedAfter ? "after" : "before";
    it(`a channel whose opener died ${when} its first Completed is usable (R4)`, async () => {
      const made = await stage();
      const { manager, a, pair, chain } = made;
      manager.holdsCompletions = true;
      pair.startChannel(a.node, 1_000_000n, 400_000_000n);
      await settle(pair, a);
      manager.complete();
      if (savedAfter) {
        // LDK publishes the funding, and dies before it is written that it did.
        for (let look = 0; chain.mempool.length === 0 && look < 100; look++) {
          pair.exchange();
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        pair.mine();
        pair.mine();
      }
      manager.holdsCompletions = false;
      await restart(made);
      for (let n = 0; n < 4; n++) pair.mine();
      await settle(pair, a);
      assert.equal(a.node.manager.list_usable_channels().length, 1);
      assert.deepEqual(a.alarms, []);
    });
  }

  it("a channel that never reached the manager-service is discarded, and nothing was funded", async () => {
    const made = await stage();
    const { manager, a, pair, chain } = made;
    pair.startChannel(a.node, 1_000_000n, 0n);
    const { snapshot, manager: bytes } = a.beginSave();
    a.disk = { manager: bytes, told: snapshot.told };
    await restart(made);
    assert.equal(manager.channels.size, 0);
    assert.deepEqual(a.node.manager.list_channels(), []);
    // B publishes its commitment, which spends a funding that nobody published.
    const isFunding = (tx: (typeof chain.mempool)[number]) =>
      tx.outs.some((out) => out.value === 1_000_000n);
    assert.equal(chain.mempool.some(isFunding), false);
    assert.deepEqual(a.alarms, []);
  });

  it("refuses an older ChannelManager before anything is sent (R6)", async () => {
    const made = await openedChannel();
    const { manager, a, pair } = made;
    const old = must(a.disk, "a disk");
    pair.pay(a.node, pair.b, AMOUNT_MSAT);
    await settle(pair, a);
    pair.disconnect();
    await a.kill();
    const newest = a.disk;
    a.disk = old;
    const { length } = manager.received;
    await assert.rejects(a.start(), isFault("staleSnapshot"));
    await a.kill();
    assert.equal(manager.received.length, length);
    a.disk = undefined;
    await assert.rejects(a.start(), isFault("staleSnapshot"));
    await a.kill();
    a.disk = newest;
    pair.a = await a.start();
    await settle(pair, a);
    assert.equal(a.node.manager.list_channels().length, 1);
  });

  it("refuses a manager-service that lost what it had told durable (R6)", async () => {
    const made = await openedChannel();
    const { a, pair } = made;
    pair.pay(a.node, pair.b, AMOUNT_MSAT);
    await settle(pair, a);
    a.save();
    pair.disconnect();
    await a.kill();
    const held = heldOf(made);
    held.updates.splice(-1);
    await assert.rejects(a.start(), isFault("managerLost"));
  });

  it("stores a checkpoint when the log is long, and starts from it", async () => {
    const made = await openedChannel();
    const { a, pair } = made;
    const held = heldOf(made);
    while (held.updates.length < CHECKPOINT_AFTER_UPDATES) {
      const before = a.node.events.length;
      pair.pay(a.node, pair.b, 1_000_000n);
      await settleUntil(pair, a, () =>
        a.node.events
          .slice(before)
          .some((event) => event instanceof ldk.Event_PaymentPathSuccessful),
      );
    }
    await settle(pair, a);
    a.save();
    assert.equal(held.checkpoints.length, 0);
    await restart(made);
    assert.equal(held.checkpoints.length, 1);
    assert.equal(held.checkpoints[0]?.updateId, made.manager.acceptedId(held));
    const hash = pair.pay(a.node, pair.b, AMOUNT_MSAT);
    await settle(pair, a);
    assert.ok(a.node.has(ldk.Event_PaymentSent, hash));
    await restart(made);
    assert.equal(held.checkpoints.length, 1);
    assert.equal(a.node.manager.list_usable_channels().length, 1);
    assert.deepEqual(a.alarms, []);
    assert.deepEqual(
      [CHECKPOINT_AFTER_UPDATES - 1, CHECKPOINT_AFTER_UPDATES].map((updates) =>
        isLongLog({ updates }),
      ),
      [false, true],
    );
  });

  for (const anchors of [false, true]) {
    for (const from of ["A", "B"] as const) {
      it(`killed at each point of a payment from ${from}, ${anchors ? "anchors" : "static"}`, async () => {
        const made = await openedChannel({ anchors });
        const { a, pair, manager } = made;
        const result = await killPoints(made, () =>
          from === "A"
            ? pair.pay(a.node, pair.b, AMOUNT_MSAT)
            : pair.pay(pair.b, a.node, AMOUNT_MSAT),
        );
        assert.ok(result.kills >= 8, `${result.kills} kills`);
        assert.equal(result.stuck, 0);
        assert.equal(a.node.manager.list_usable_channels().length, 1);
        assert.equal(pair.b.manager.list_usable_channels().length, 1);
        assert.deepEqual(a.alarms, []);
        assert.equal(manager.channels.size, 1);
      });
    }
  }
});
