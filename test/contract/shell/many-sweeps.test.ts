/**
 * More own outputs than one sweep takes, through a whole host with its store: they leave in several
 * transactions, each of which any bitcoind relays, valid down to its signatures.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { spendFailure } from "@farwatch/monitor-service/tx/testing/script-check";
import { MAX_SWEEP_INPUTS } from "@farwatch/monitor-service/tx/sweep-plan";
import { broadcastableCommitment } from "../../harness/channel/broadcast.js";
import type { Channel } from "../../harness/channel/channel.js";
import { World } from "./world.js";

/** bitcoind's MAX_STANDARD_TX_WEIGHT. */
const MAX_STANDARD_WEIGHT = 400_000;
/** What the limit on inputs is there to keep. */
const MEANT_WEIGHT = 64_000;
/** Of FakeChain. */
const TRANSACTIONS_PER_BLOCK = 200;
const MATURE = 6;

describe("sweeps of more outputs than one takes", function () {
  this.timeout(240_000);
  const script = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(9)]);
  let world: World;
  before(async () => {
    const destination = { script: () => Promise.resolve(script) };
    world = await World.start({ sweep: { destination, everyBlocks: 1 } });
  });
  after(() => world.end());

  const isSweep = (raw: Uint8Array): boolean =>
    parseTx(raw).outputs.some(({ scriptPubkey }) => Buffer.from(script).equals(scriptPubkey));
  const sweeps = (): readonly Transaction[] => {
    const all = world.chain.broadcasts.filter(isSweep);
    const byId = new Map(all.map((raw) => [parseTx(raw).txid, Transaction.fromBuffer(raw)]));
    return [...byId.values()];
  };
  const inputsOf = (tx: Transaction): readonly string[] =>
    parseTx(Uint8Array.from(tx.toBuffer())).inputs.map(({ outpoint }) => outpointKey(outpoint));

  it("go out as several transactions that every mempool takes, and all confirm", async () => {
    const channels: Channel[] = [];
    for (let i = 0; i <= MAX_SWEEP_INPUTS; i++) channels.push(await world.open());
    const coins = new Map(
      channels.map((channel) => {
        const { built } = channel.commitment("counterparty");
        const vout = must(built.toRemoteIndex, "to_remote");
        return [outpointKey({ txid: built.txid, vout }), must(built.tx.outs[vout], "output")];
      }),
    );
    const closes = channels.map((channel) => broadcastableCommitment(channel, "counterparty"));
    await world.mine(...closes.slice(0, TRANSACTIONS_PER_BLOCK));
    await world.mine(...closes.slice(TRANSACTIONS_PER_BLOCK));
    for (let block = 1; block < MATURE; block++) await world.mineEmpty(1);
    // One new sweep a block: the next is made once the first is durable.
    await world.mineEmpty(1);
    await world.mineEmpty(1);

    const made = sweeps();
    assert.deepEqual(
      made.map(({ ins }) => ins.length),
      [MAX_SWEEP_INPUTS, 1],
    );
    assert.deepEqual(made.flatMap(inputsOf).sort(), [...coins.keys()].sort(), "each once");
    for (const tx of made) {
      assert.ok(tx.weight() <= MAX_STANDARD_WEIGHT);
      assert.ok(tx.weight() <= MEANT_WEIGHT, `${tx.weight()} weight units`);
      for (const [index, key] of inputsOf(tx).entries()) {
        const coin = must(coins.get(key), "an output of ours");
        assert.equal(spendFailure(tx, index, coin), undefined, `input ${index}`);
      }
    }

    await world.restart();
    const before = world.chain.broadcasts.length;
    await world.mineEmpty(1);
    const again = world.chain.broadcasts.slice(before).filter(isSweep);
    const raws = made.map((tx) => Uint8Array.from(tx.toBuffer()));
    assert.deepEqual(again.map(Buffer.from), raws.map(Buffer.from), "the same after a restart");
    await world.mine(...raws);
    for (let block = 1; block < MATURE; block++) await world.mineEmpty(1);
    assert.deepEqual((await world.store.load()).sweeps, []);
    assert.equal(sweeps().length, 2, "nothing is left to sweep");
  });
});
