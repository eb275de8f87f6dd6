/**
 * Penalty-only channels on a whole host (ADR M-18): held on disk, found by the commitment's txid in a block or
 * by a look-up, sent without any key, through restarts, outages and reorganisations.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { sat } from "@farwatch/protocol/amount";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import {
  channelId,
  commitmentNumber,
  outpointKey,
  preimage,
  txid,
  type ChannelId,
  type Txid,
} from "@farwatch/protocol/ids";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { spend } from "@farwatch/monitor-service/tx/testing/spend";
import { PENALTY_SNAPSHOT_AFTER_ROWS } from "@farwatch/monitor-service/runtime/limits";
import { MAX_LOOKED_UP_INPUTS } from "@farwatch/monitor-service/runtime/penalty/penalty-lookups";
import type { PenaltyView } from "@farwatch/monitor-service/runtime/monitor-host";
import type { MonitorStore } from "@farwatch/monitor-service/store/store";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { World } from "./world.js";

const ID = channelId("c1".repeat(32));
const OTHER_ID = channelId("c2".repeat(32));

/** As BOLT 3 shapes every commitment; `seed` tells them apart. */
function commitment(seed: number, shape = { sequence: 0x80000000, locktime: 0x20000000 }) {
  const tx = new Transaction();
  tx.version = 2;
  tx.addInput(new Uint8Array(32).fill(seed), 0, shape.sequence + seed);
  tx.locktime = shape.locktime + seed;
  tx.addOutput(Uint8Array.from([0, 32, ...new Uint8Array(32).fill(seed)]), 50_000n);
  return { raw: Uint8Array.from(tx.toBuffer()), txid: txid(tx.getId()) };
}

const penaltyFor = (of: Txid, number = 1, value = 40_000n): PenaltyTransactionStep => ({
  kind: "penaltyTransaction",
  commitmentTxid: of,
  commitmentNumber: commitmentNumber(number),
  transaction: spend([{ txid: of, vout: 0 }], { value }),
});

/** Its methods, so that one can be replaced. */
const bound = (store: MonitorStore): MonitorStore => ({
  load: () => store.load(),
  readLog: (...asked) => store.readLog(...asked),
  transact: (ops) => store.transact(ops),
  findCounterpartyCommitment: (...asked) => store.findCounterpartyCommitment(...asked),
  findAnyCommitment: (head) => store.findAnyCommitment(head),
  findUpdate: (...asked) => store.findUpdate(...asked),
  findPenalties: (...asked) => store.findPenalties(...asked),
  readBack: (...asked) => store.readBack(...asked),
  readSnapshot: (channelNo) => store.readSnapshot(channelNo),
  readWatchPayload: (channelNo) => store.readWatchPayload(channelNo),
  close: () => store.close(),
});

describe("penalty-only channels", function () {
  this.timeout(120_000);
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world.end());

  const watch = async (id: ChannelId = ID) =>
    world.host.watchChannel(
      world.manager.who,
      world.manager.watchPenalties({
        channelId: id,
        chainHash: REGTEST_CHAIN_HASH,
        counterpartyNodeId: undefined,
      }),
    );
  const view = async (id: ChannelId = ID): Promise<PenaltyView> => {
    const found = await world.host.anyChannel(world.manager.who, id);
    assert.ok(found.ok && "penalty" in found.value, "a penalty-only channel");
    return found.value;
  };
  const told = (): readonly string[] =>
    world.host.pendingEvents(world.manager.who, ID).map(({ payload }) => {
      const read = decodeEventPayload(payload);
      assert.ok(read.ok);
      return `${read.value.body.kind}:${read.value.origin.kind}`;
    });
  const sent = (): readonly string[] => [...new Set(world.chain.broadcasts.map(toHex))];

  it("are watched once, by one manager, and answered again", async () => {
    const first = await watch();
    assert.ok(first.ok);
    assert.equal(first.value.receipts[0]?.updateId, 0n);
    const again = await watch();
    assert.ok(again.ok);
    const other = await world.host.watchChannel(
      world.manager.who,
      world.manager.watchPenalties({
        channelId: ID,
        chainHash: REGTEST_CHAIN_HASH,
        counterpartyNodeId: new Uint8Array(33).fill(2),
      }),
    );
    assert.equal(!other.ok && other.error.reason, "alreadyWatched");
  });

  it("send the penalty when the commitment is in a block, also after a restart, until it is deep", async () => {
    await watch();
    const cheat = commitment(3);
    const step = penaltyFor(cheat.txid);
    const receipt = await world.accept(ID, [step]);
    assert.equal(receipt.status, "persisted");
    for (let i = 10; i < 40; i++) await world.accept(ID, [penaltyFor(commitment(i).txid, i)]);
    await world.restart();
    assert.deepEqual(sent(), []);
    await world.mine(cheat.raw);
    assert.deepEqual(sent(), [toHex(step.transaction)]);
    assert.deepEqual(told(), ["commitmentTxConfirmed:chain"]);

    world.chain.broadcasts.length = 0;
    await world.restart();
    await world.mineEmpty(1);
    assert.deepEqual(sent(), [toHex(step.transaction)], "again, from what is on disk");

    world.chain.broadcasts.length = 0;
    await world.mine(step.transaction);
    await world.mineEmpty(5);
    assert.deepEqual(told(), ["commitmentTxConfirmed:chain", "spendableOutputs:chain"]);
    assert.deepEqual(sent(), []);
    const { penalty } = await view();
    assert.equal(penalty.penaltyCount, 31);
    const late = await world.accept(ID, [penaltyFor(commitment(50).txid, 50)]);
    assert.equal(late.status, "appliedAfterClose");
  });

  it("find a commitment and its penalty in one block", async () => {
    await watch();
    const cheat = commitment(4);
    const step = penaltyFor(cheat.txid);
    await world.accept(ID, [step]);
    await world.mine(cheat.raw, step.transaction);
    await world.mineEmpty(5);
    assert.deepEqual(told(), ["commitmentTxConfirmed:chain", "spendableOutputs:chain"]);
    assert.deepEqual(sent(), []);
  });

  it("take a commitment only for a transaction of that shape", async () => {
    await watch();
    const odd = commitment(5, { sequence: 0x7f000000, locktime: 0x20000000 });
    await world.accept(ID, [penaltyFor(odd.txid)]);
    await world.mine(odd.raw);
    assert.deepEqual(told(), []);
  });

  it("look up commitments that are older than their penalty, after an outage too", async () => {
    await watch();
    const cheat = commitment(6);
    const step = penaltyFor(cheat.txid);
    await world.mine(cheat.raw);
    const output = { valueSat: sat(50_000), scriptPubkey: new Uint8Array(34) };
    world.chain.confirmedOutputs.set(outpointKey({ txid: cheat.txid, vout: 0 }), output);
    world.chain.down = true;
    await world.accept(ID, [penaltyFor(commitment(7).txid)]);
    await world.accept(ID, [step]);
    await world.running.published();
    assert.deepEqual(told(), []);
    assert.equal((await view()).penalty.lookedUpTo, 0n);
    const outages = world.lines.filter(({ message }) => message.includes("not looked up yet"));
    assert.equal(outages.length, 1, "an outage is told once");
    world.chain.down = false;
    await world.running.maintain();
    await world.running.published();
    assert.deepEqual(told(), ["commitmentTxConfirmed:update"]);
    assert.deepEqual(sent(), [toHex(step.transaction)]);
    assert.equal((await view()).penalty.lookedUpTo, 2n);
  });

  it("look up again after a restart what was not looked up", async () => {
    await watch();
    const cheat = commitment(6);
    world.chain.down = true;
    for (let i = 10; i < 90; i++) await world.accept(ID, [penaltyFor(commitment(i).txid, i)]);
    await world.accept(ID, [penaltyFor(cheat.txid)]);
    await world.down();
    world.chain.down = false;
    const output = { valueSat: sat(50_000), scriptPubkey: new Uint8Array(34) };
    world.chain.confirmedOutputs.set(outpointKey({ txid: cheat.txid, vout: 0 }), output);
    await world.up();
    await world.running.published();
    assert.deepEqual(told(), ["commitmentTxConfirmed:update"]);
    assert.equal((await view()).penalty.lookedUpTo, 81n);
  });

  it("ask for a bounded number of outputs of one penalty", async () => {
    await watch();
    const output = { valueSat: sat(50_000), scriptPubkey: new Uint8Array(34) };
    for (const [seed, vout, isFound] of [
      [31, MAX_LOOKED_UP_INPUTS - 1, true],
      [32, MAX_LOOKED_UP_INPUTS, false],
    ] as const) {
      const of = commitment(seed).txid;
      world.chain.confirmedOutputs.set(outpointKey({ txid: of, vout }), output);
      const all = Array.from({ length: vout + 1 }, (_, index) => ({ txid: of, vout: index }));
      await world.accept(ID, [{ ...penaltyFor(of), transaction: spend(all) }]);
      await world.running.published();
      const { seen } = (await view()).penalty;
      assert.equal(
        seen.some(({ commitmentTxid }) => commitmentTxid === of),
        isFound,
      );
    }
  });

  it("look up few again after a restart: what was looked up is written when nothing else waits", async () => {
    await watch();
    const offered = PENALTY_SNAPSHOT_AFTER_ROWS;
    for (let i = 1; i <= offered; i++) await world.accept(ID, [penaltyFor(commitment(i).txid, i)]);
    await world.running.published();
    assert.equal(await world.running.maintain(), 0);
    await world.accept(ID, [penaltyFor(commitment(99).txid)]);
    await world.running.published();
    assert.equal(await world.running.maintain(), 1);
    await world.down();
    world.chain.down = true;
    await world.up();
    assert.equal((await view()).penalty.lookedUpTo, BigInt(offered + 1));
  });

  it("follow a reorganisation that takes the penalty, then the commitment, away", async () => {
    await watch();
    const cheat = commitment(8);
    const step = penaltyFor(cheat.txid);
    await world.accept(ID, [step]);
    await world.mine(cheat.raw);
    await world.mine(step.transaction);
    world.chain.broadcasts.length = 0;
    world.chain.reorg(1, 2);
    await world.follow();
    assert.deepEqual(sent(), [toHex(step.transaction)], "sent again");
    world.chain.reorg(3, 4);
    await world.follow();
    assert.equal((await view()).penalty.seen[0]?.seenAt, undefined);
    await world.mine(cheat.raw, step.transaction);
    await world.mineEmpty(5);
    assert.deepEqual(told(), ["commitmentTxConfirmed:chain", "spendableOutputs:chain"]);
  });

  it("tell who took an output first", async () => {
    await watch();
    const cheat = commitment(9);
    await world.accept(ID, [penaltyFor(cheat.txid)]);
    await world.mine(cheat.raw);
    await world.mine(spend([{ txid: cheat.txid, vout: 0 }], { value: 1n, path: "delayed" }));
    await world.mineEmpty(5);
    assert.deepEqual(told(), ["commitmentTxConfirmed:chain", "penaltyOvertaken:chain"]);
    assert.ok(world.lines.some(({ message }) => message.startsWith("the counterparty took")));
  });

  it("go on when the stored penalty of another channel is damaged", async () => {
    await world.end();
    world = await World.start({
      wrapStore: (store) => ({
        ...bound(store),
        findPenalties: async (...asked) =>
          (await store.findPenalties(...asked)).map((row) =>
            row.channelNo === 1 ? { ...row, payload: Uint8Array.of(255) } : row,
          ),
      }),
    });
    await watch();
    await watch(OTHER_ID);
    const cheat = commitment(13);
    for (const id of [ID, OTHER_ID]) await world.accept(id, [penaltyFor(cheat.txid)]);
    await world.mine(cheat.raw);
    assert.equal((await view()).penalty.seen.length, 0);
    assert.equal((await view(OTHER_ID)).penalty.seen.length, 1);
    const errors = world.lines.filter(({ level }) => level === "error");
    assert.deepEqual(
      errors.map(({ message, fields }) => [message, fields["channelId"]]),
      [["a stored penalty cannot be read", ID]],
    );
    assert.equal(world.host.info().tip.height, 201);
  });

  it("live beside channels with keys, and each refuses what is the other's", async () => {
    const full = await world.open();
    await watch();
    await watch(OTHER_ID);
    const cheat = commitment(11);
    const refused = await world.submit(
      world.manager.update(full.channelId, [penaltyFor(cheat.txid)]),
    );
    assert.equal(refused.refused[0]?.refusal.reason, "wrongChannelKind");
    await world.accept(ID, [penaltyFor(cheat.txid)]);
    await world.accept(OTHER_ID, [penaltyFor(cheat.txid)]);
    await world.mine(cheat.raw);
    assert.equal((await view(OTHER_ID)).penalty.seen.length, 1, "both hold a penalty for it");
    const { who } = world.manager;
    const reasons = [
      world.host.channel(who, ID),
      await world.host.broadcastHolder(who, {
        channelId: ID,
        reason: "",
        overrideStale: false,
        epoch: 1n,
      }),
      await world.host.counterpartyCommitment(who, ID, { by: "txid", txid: cheat.txid }),
    ].map((result) => !result.ok && result.error.reason);
    assert.deepEqual(reasons, ["wrongChannelKind", "wrongChannelKind", "wrongChannelKind"]);
    const stored = await world.host.putPreimages(
      who,
      world.manager.preimages({ channelId: ID, preimage: preimage(new Uint8Array(32)) }),
    );
    assert.equal(stored.ok && stored.value.outcomes[0]?.refusal?.reason, "wrongChannelKind");
    const page = await world.host.channels(who, { filter: "all", after: undefined, limit: 10 });
    assert.equal(page.views.length, 3);
  });

  it("are archived four weeks after the node is done with them, and answered from disk", async () => {
    await watch();
    await world.accept(ID, [
      { kind: "channelForceClosed", shouldBroadcast: false, reason: "closed" },
    ]);
    await world.mineEmpty(1);
    await world.accept(ID, [penaltyFor(commitment(12).txid)]);
    await world.mineEmpty(4033);
    const archived = await view();
    assert.equal(must(archived.archivedAt, "archived"), 201 + 4032);
    await world.restart();
    assert.equal((await view()).penalty.penaltyCount, 1);
  });
});
