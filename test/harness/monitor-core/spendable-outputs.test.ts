/**
 * Outputs that are ours for good (onchain-engine 10): each kind is told once, when it is mature. Those
 * that only the channel's keys can spend can be swept from then on, and only then, with what the core
 * says about them; their spends are followed through reorganisations.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { IRREVOCABLE_DEPTH } from "@farwatch/monitor-service/monitor/constants";
import { sweepable } from "@farwatch/monitor-service/monitor/sweepable";
import { watched } from "@farwatch/monitor-service/monitor/outstanding";
import { outpointKey } from "@farwatch/protocol/ids";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { sweepToRemote } from "../channel/claims.js";
import { cooperativeCloseTx } from "../channel/cooperative-close.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { counterpartyCloses, fulfill, number, pay, spendable } from "./scenario.js";
import { sweepOf } from "./sweep-of.js";

const CONTEST_DELAY = 144;
const ALL_TYPES = ["static_remote_key", "anchors_zero_fee_htlc", "zero_fee_commitments"] as const;

const kinds = (p: ProtectedChannel): readonly string[] =>
  bodiesOf(p.events, "spendableOutputs").flatMap(({ outputs }) =>
    outputs.map(({ output }) => output.kind),
  );
const toSweep = (p: ProtectedChannel): readonly string[] =>
  sweepable(p.ctx, p.state).map(({ key }) => key);
const spentBy = (p: ProtectedChannel) => p.state.ownOutputs.map(({ spend }) => spend?.txid);
const isWatched = (p: ProtectedChannel, key: string): boolean =>
  watched(p.state).outpoints.map(outpointKey).includes(key);

for (const channelType of ALL_TYPES) {
  describe(`monitor core: spendable outputs of ${channelType}`, () => {
    for (const paymentKey of ["v1", "v2"] as const) {
      it(`to_remote of payment key ${paymentKey} is told 6 deep and can be swept then`, async () => {
        const p = await protectedChannel({ channelType, holder: { paymentKey } });
        counterpartyCloses(p);
        const { built } = p.channel.commitment("counterparty");
        const toRemote = `${built.txid}:${must(built.toRemoteIndex, "to_remote")}`;
        p.mineEmpty(4);
        assert.deepEqual([spendable(p), toSweep(p)], [[], []]);
        p.mine();
        assert.deepEqual([spendable(p), toSweep(p)], [[toRemote], [toRemote]]);
        assert.deepEqual(kinds(p), ["staticPayment"]);
        const sweep = must(sweepOf(p), "a sweep");
        p.mine(sweep);
        assert.deepEqual(spentBy(p), [parseTx(sweep).txid]);
        assert.equal(sweepOf(p), undefined);
      });
    }

    it("to_local is told when its delay is over and can be swept in the next block", async () => {
      const p = await protectedChannel({ channelType });
      await p.channel.forceClose("holder", true);
      p.minePublished("holderCommitment");
      p.mineEmpty(CONTEST_DELAY - 2);
      assert.deepEqual(toSweep(p), []);
      p.mine();
      assert.deepEqual(kinds(p), ["delayedPayment"]);
      assert.deepEqual(toSweep(p), spendable(p));
      p.mine(must(sweepOf(p), "a sweep"));
      assert.deepEqual(toSweep(p), []);
    });
  });
}

describe("monitor core: spendable outputs", () => {
  it("of our second stages wait for their delay, and are swept together with to_local", async () => {
    const p = await protectedChannel();
    const [, theirs] = await pay(
      p,
      { from: "holder", sat: 20_000, name: "ours", expiry: 510 },
      { from: "counterparty", sat: 30_000, name: "theirs", expiry: 560 },
    );
    await fulfill(p, must(theirs, "htlc"), "theirs");
    await p.channel.forceClose("holder", true);
    p.minePublished("holderCommitment");
    p.mineTo(511);
    const secondStages = p.minePublished();
    assert.equal(secondStages.length, 1);
    p.mineEmpty(CONTEST_DELAY - 1);
    assert.deepEqual(kinds(p), ["delayedPayment", "delayedPayment"]);
    assert.equal(toSweep(p).length, 2);
    p.mine(must(sweepOf(p), "a sweep"));
    assert.deepEqual(toSweep(p), []);
  });

  it("of claims and justice are paid to the destination: told, and left to the node's wallet", async () => {
    const p = await protectedChannel();
    await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 700 });
    const old = number(p, "counterparty");
    await pay(p, { from: "holder", sat: 30_000, name: "more", expiry: 710 });
    counterpartyCloses(p, old);
    p.minePublished("justice");
    p.mineEmpty(5);
    assert.deepEqual([...kinds(p)].sort(), ["static", "static", "staticPayment"]);
    assert.equal(toSweep(p).length, 1, "to_remote alone");
  });

  it("of a cooperative close are told for the destination and for the shutdown script", async () => {
    const script = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(0x77)]);
    for (const holder of [undefined, script]) {
      const p = await protectedChannel();
      if (holder !== undefined) p.update([{ kind: "shutdownScript", scriptPubkey: holder }]);
      const scripts = holder === undefined ? {} : { holder };
      p.mine(cooperativeCloseTx(p.channel, 300n, scripts));
      p.mineEmpty(4);
      assert.deepEqual(kinds(p), []);
      p.mine();
      assert.deepEqual(kinds(p), ["static"]);
      assert.deepEqual(toSweep(p), []);
    }
  });

  it("on a commitment that no update has named are ours all the same", async () => {
    const p = await protectedChannel();
    p.held = [];
    await pay(p, { from: "counterparty", sat: 30_000, name: "unheard" });
    counterpartyCloses(p);
    p.mineEmpty(5);
    assert.deepEqual(kinds(p), ["staticPayment"]);
    p.mine(must(sweepOf(p), "a sweep"));
    assert.deepEqual(toSweep(p), []);
  });

  it("are told once, whatever the chain does, and can be swept whenever they are unspent", async () => {
    const p = await protectedChannel();
    const close = p.commitmentOf("counterparty");
    p.mine(close);
    p.mineEmpty(5);
    const [output] = toSweep(p);
    const sweep = must(sweepOf(p), "a sweep");
    p.mine(sweep);
    p.mineEmpty(7);
    assert.equal(isWatched(p, must(output, "swept")), false);
    p.disconnect(8);
    assert.deepEqual(toSweep(p), [output], "the sweep is gone, the output is there");
    assert.equal(isWatched(p, must(output, "swept")), true);
    p.disconnect(6);
    assert.deepEqual(p.state.ownOutputs, [], "the output is gone too");
    p.mine(close);
    p.mineEmpty(4);
    assert.deepEqual(toSweep(p), []);
    p.mine();
    assert.deepEqual(toSweep(p), [output]);
    assert.equal(kinds(p).length, 1);
  });

  it("that the node spends by itself are spent, and forgotten when that is irrevocable", async () => {
    const p = await protectedChannel();
    counterpartyCloses(p);
    p.mineEmpty(1);
    const bySelf = sweepToRemote(p.channel, "counterparty", number(p, "counterparty"));
    p.mine(bySelf);
    assert.deepEqual(spentBy(p), [parseTx(bySelf).txid]);
    p.mineEmpty(IRREVOCABLE_DEPTH - 1);
    assert.equal(p.state.ownOutputs.length, 1);
    assert.equal(kinds(p).length, 1, "told before anybody looked whether it is spent");
    p.mine();
    assert.deepEqual(p.state.ownOutputs, []);
  });
});
