/** RemoteWatch under a real LDK 0.1 node, against a manager-service that a test plays. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";
import { settle } from "../../harness/in-process-ldk/settle.js";
import { closeStages, openedChannel, restart, stage } from "../../harness/in-process-ldk/stage.js";

describe("RemoteWatch under LDK", function () {
  this.timeout(120_000);
  before(() => loadLdk());
  afterEach(closeStages);

  it("holds the first monitor until the ChannelManager is saved, and the funding until Completed", async () => {
    const { manager, chain, a, pair } = await stage();
    manager.holdsCompletions = true;
    pair.startChannel(a.node, 1_000_000n, 0n);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(manager.channels.size, 0);
    a.save();
    await settle(pair, a);
    assert.equal(manager.channels.size, 1);
    assert.equal(chain.mempool.length, 0);
    manager.complete();
    await settle(pair, a);
    assert.equal(chain.mempool.length, 1);
  });

  for (const anchors of [false, true]) {
    const type = anchors ? "anchors" : "static_remotekey";
    it(`pays both ways, ${type}`, async () => {
      const { manager, a, pair } = await openedChannel({ anchors });
      const there = pair.pay(a.node, pair.b, 50_000_000n);
      await settle(pair, a);
      assert.ok(a.node.has(ldk.Event_PaymentSent, there));
      const back = pair.pay(pair.b, a.node, 20_000_000n);
      await settle(pair, a);
      assert.ok(pair.b.has(ldk.Event_PaymentSent, back));
      assert.deepEqual(a.alarms, []);
      const [held] = manager.channels.values();
      const ids = manager.received.map(({ updateId }) => updateId);
      const inOrder = must(held, "a channel").updates.map((_, at) => BigInt(at + 1));
      assert.deepEqual(ids, inOrder);
    });

    it(`comes back from its disk with the channel open, ${type}`, async () => {
      const made = await openedChannel({ anchors });
      const { a, pair } = made;
      await restart(made);
      assert.equal(a.node.manager.list_usable_channels().length, 1);
      const there = pair.pay(a.node, pair.b, 50_000_000n);
      await settle(pair, a);
      assert.ok(a.node.has(ldk.Event_PaymentSent, there));
      assert.deepEqual(a.alarms, []);
    });
  }
});
