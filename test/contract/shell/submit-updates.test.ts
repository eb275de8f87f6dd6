/**
 * UpdateChannel against the real core and the real store: what is accepted is durable and proved, what
 * is refused changes neither memory nor disk (contract 2.2, 2.3).
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { openReceiptBatch } from "@farwatch/protocol/envelope/open-monitor-message";
import { parseUpdate } from "@farwatch/protocol/envelope/update";
import {
  channelId as channelIdOf,
  hash32,
  perCommitmentSecret,
  updateId,
} from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { SubmitOutcome, UpdateBatch } from "@farwatch/monitor-service/runtime/monitor-host";
import type { Channel } from "../../harness/channel/channel.js";
import { offer, secretNamed } from "../../harness/channel/test-channel.js";
import { TestManager } from "./test-manager.js";
import { World } from "./world.js";

const learns = (name: string): UpdateStep => ({
  kind: "paymentPreimage",
  preimage: secretNamed(name).preimage,
  paymentInfo: undefined,
});
const reasons = (outcome: SubmitOutcome): readonly string[] =>
  outcome.refused.map(({ refusal }) => refusal.reason);
const ids = (outcome: SubmitOutcome): readonly bigint[] =>
  outcome.receipts?.receipts.map((receipt) => receipt.updateId) ?? [];

/** A byte of prev_hash in farwatch/update/v1: names no channel, no manager, no network. */
const PREV_HASH_BYTE = 150;

describe("submitting updates", function () {
  this.timeout(60_000);
  let world: World;
  let channel: Channel;
  beforeEach(async () => {
    world = await World.start();
    channel = await world.open();
  });
  afterEach(() => world.end());

  it("makes a whole dance durable and proves it with receipts the manager can open", async () => {
    offer(channel, "holder", 50_000, "out");
    await channel.settle();
    const outcome = await world.submit(world.manager.update(channel.channelId, [learns("x")]));
    const receipts = must(outcome.receipts, "receipts");
    const opened = openReceiptBatch(
      world.curve,
      { ...world.host.info() },
      {
        ...receipts,
        receipts: receipts.receipts.map(({ header }) => header),
      },
    );
    assert.ok(opened.ok);
    const [first] = opened.value.items;
    assert.ok(first?.ok);
    assert.equal(first.value.header.updateHash, world.manager.heads.get(channel.channelId)?.hash);
    assert.equal(first.value.header.status, "persisted");
    assert.equal(first.value.header.tip.height, world.host.info().tip.height);
  });

  it("answers a whole batch with one signature and keeps the order of each channel", async () => {
    const other = await world.open();
    const { manager } = world;
    const names = ["a", "b", "c"];
    const updates = names.flatMap((name) => [
      manager.update(channel.channelId, [learns(name)]),
      manager.update(other.channelId, [learns(name)]),
    ]);
    const outcome = await world.submit(...updates);
    assert.deepEqual(ids(outcome), [1n, 1n, 2n, 2n, 3n, 3n]);
    assert.deepEqual(outcome.refused, []);
    const log = await world.store.readLog(0, 100);
    assert.equal(new Set(log.map(({ batchRowId }) => batchRowId)).size, 1);
  });

  it("answers a repeated update again without touching state, also below the head", async () => {
    const { manager } = world;
    const updates = ["a", "b", "c"].map((name) =>
      manager.update(channel.channelId, [learns(name)]),
    );
    await world.submit(...updates);
    const before = [world.stateOf(channel.channelId), await world.rows()];
    const again = await world.submit(...updates);
    assert.deepEqual(ids(again), [1n, 2n, 3n]);
    assert.deepEqual([world.stateOf(channel.channelId), await world.rows()], before);
  });

  it("answers an update repeated within its batch again, in any order", async () => {
    const { manager } = world;
    const [one, two, three, four] = ["a", "b", "c", "d"].map((name) =>
      manager.update(channel.channelId, [learns(name)]),
    );
    assert.ok(one && two && three && four);
    const outcome = await world.submit(one, two, one);
    assert.deepEqual([reasons(outcome), ids(outcome)], [[], [1n, 2n, 1n]]);
    const hashes = outcome.receipts?.receipts.map(({ updateHash }) => updateHash);
    assert.equal(hashes?.[2], hashes?.[0]);
    const later = await world.submit(three, two, four, three, one);
    assert.deepEqual([reasons(later), ids(later)], [[], [3n, 2n, 4n, 3n, 1n]]);
    assert.equal((await world.store.readLog(0, 10)).length, 4);
  });

  it("refuses another update at an id of the same batch", async () => {
    const { manager } = world;
    const { channelId } = channel;
    const head = must(manager.heads.get(channelId), "head");
    const [one, two] = ["a", "b"].map((name) => manager.update(channelId, [learns(name)]));
    assert.ok(one && two);
    manager.heads.set(channelId, head);
    const outcome = await world.submit(one, two, manager.update(channelId, [learns("x")]));
    assert.deepEqual([reasons(outcome), ids(outcome)], [["updateConflict"], [1n, 2n]]);
  });

  it("answers a repeated update only after the first has reached the disk", async () => {
    const update = world.manager.update(channel.channelId, [learns("a")]);
    const [first, second] = await Promise.all([world.submit(update), world.submit(update)]);
    assert.deepEqual([ids(first), ids(second)], [[1n], [1n]]);
    assert.equal((await world.store.readLog(0, 10)).length, 1);
  });

  it("takes pipelined batches of one channel in the order they were sent", async () => {
    const { manager } = world;
    const updates = Array.from({ length: 200 }, (_, index) =>
      manager.update(channel.channelId, [learns(`pipelined ${index}`)]),
    );
    const sent = [];
    for (let at = 0; at < updates.length; at += 20) {
      sent.push(world.submit(...updates.slice(Math.max(0, at - 5), at + 20)));
    }
    const outcomes = await Promise.all(sent);
    assert.deepEqual(outcomes.flatMap(reasons), []);
    assert.equal(outcomes.flatMap(ids).at(-1), 200n);
  });

  it("after a refused update answers later ones of its channel with the gap, not of others", async () => {
    const other = await world.open();
    const { manager } = world;
    const wrong: UpdateStep = {
      kind: "commitmentSecret",
      commitmentNumber: channel.commitment("counterparty").number,
      secret: perCommitmentSecret(new Uint8Array(32).fill(1)),
    };
    const outcome = await world.submit(
      manager.update(channel.channelId, [wrong]),
      manager.update(channel.channelId, [learns("a")]),
      manager.update(other.channelId, [learns("b")]),
      manager.update(channel.channelId, [learns("c")]),
    );
    assert.deepEqual(reasons(outcome).slice(1), ["updateGap", "updateGap"]);
    assert.equal(outcome.refused[1]?.refusal.details["expected_update_id"], "1");
    assert.deepEqual(ids(outcome), [1n]);
  });

  interface Wrong {
    readonly what: string;
    readonly reason: string;
    readonly make: (manager: TestManager, channel: Channel) => UpdateBatch;
    readonly who?: (manager: TestManager) => TestManager["who"];
  }
  const flip = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
  const one = (
    manager: TestManager,
    of: Channel,
    ...tamper: Parameters<TestManager["update"]>[2][]
  ) => manager.update(of.channelId, [learns("new")], tamper[0]);
  const wrongs: readonly Wrong[] = [
    {
      what: "a payload above its limit",
      reason: "tooLarge",
      make: (manager, of) => {
        const { header } = one(manager, of);
        return { ...manager.batch({ header, payload: new Uint8Array(3 * 1024 * 1024 + 1) }) };
      },
    },
    {
      what: "a batch header cut short",
      reason: "wrongLength",
      make: (manager, of) => {
        const batch = manager.batch(one(manager, of));
        return { ...batch, header: batch.header.slice(0, 60) };
      },
    },
    {
      what: "a batch in the name of another manager",
      reason: "notYourChannel",
      make: (manager, of) => manager.batch(one(manager, of)),
      who: (manager) => ({ ...manager.who, managerKey: new TestManager(worldCurve(), 9).key }),
    },
    {
      what: "no signature",
      reason: "signatureMissing",
      make: (manager, of) => ({ ...manager.batch(one(manager, of)), signature: new Uint8Array() }),
    },
    {
      what: "a signature over something else",
      reason: "signatureInvalid",
      make: (manager, of) => {
        const batch = manager.batch(one(manager, of));
        return { ...batch, signature: flip(batch.signature, 5) };
      },
    },
    {
      what: "an update that the signature does not cover",
      reason: "signatureInvalid",
      make: (manager, of) => {
        const update = one(manager, of);
        const batch = manager.batch(update);
        return { ...batch, updates: [{ ...update, header: flip(update.header, PREV_HASH_BYTE) }] };
      },
    },
    {
      what: "an epoch that is over",
      reason: "fenced",
      make: (manager, of) => {
        manager.epoch = 0n;
        return manager.batch(one(manager, of));
      },
    },
    {
      what: "an epoch that nobody opened",
      reason: "sessionNotOpen",
      make: (manager, of) => {
        manager.epoch = 2n;
        return manager.batch(one(manager, of));
      },
    },
    {
      what: "an unknown channel",
      reason: "channelUnknown",
      make: (manager, of) => {
        const update = one(manager, of, { channelId: channelIdOf("ff".repeat(32)) });
        return manager.batch(update);
      },
    },
    {
      what: "another funding output",
      reason: "malformed",
      make: (manager, of) =>
        manager.batch(one(manager, of, { funding: { ...of.funding, vout: 7 } })),
    },
    {
      what: "an id after the next",
      reason: "updateGap",
      make: (manager, of) => manager.batch(one(manager, of, { updateId: updateId(9) })),
    },
    {
      what: "another predecessor",
      reason: "updateConflict",
      make: (manager, of) => manager.batch(one(manager, of, { prevHash: hash32("12".repeat(32)) })),
    },
    {
      what: "other bytes for a stored id",
      reason: "updateConflict",
      make: (manager, of) => manager.batch(one(manager, of, { updateId: updateId(1) })),
    },
    {
      what: "a payload that is not the one the header names",
      reason: "malformed",
      make: (manager, of) => {
        const update = one(manager, of);
        return manager.batch({ ...update, payload: flip(update.payload, 6) });
      },
    },
    {
      what: "a payload that is no update",
      reason: "malformed",
      make: (manager, of) =>
        manager.batch(manager.payloadUpdate(of.channelId, Uint8Array.of(0xff, 0xff, 0xff))),
    },
    {
      what: "a payload of ours that says it is LDK's",
      reason: "malformed",
      make: (manager, of) => manager.batch(one(manager, of, { payloadType: "ldkBytes" })),
    },
  ];
  const worldCurve = () => world.curve;

  for (const { what, reason, make, who } of wrongs) {
    it(`refuses ${what} (${reason}) and changes nothing`, async () => {
      const { manager } = world;
      await world.accept(channel.channelId, [learns("first")]);
      await world.accept(channel.channelId, [learns("second")]);
      const before = [world.stateOf(channel.channelId), await world.rows()];
      const batch = make(manager, channel);
      const outcome = await world.host.submitUpdates(who?.(manager) ?? manager.who, batch);
      assert.deepEqual(reasons(outcome), [reason]);
      assert.equal(outcome.receipts, undefined);
      manager.epoch = 1n;
      assert.deepEqual([world.stateOf(channel.channelId), await world.rows()], before);
      const header = parseUpdate(must(batch.updates[0], "update").header);
      if (header.ok && outcome.refused[0]?.updateId !== undefined) {
        assert.equal(outcome.refused[0].updateId, header.value.updateId);
      }
    });
  }
});
