/**
 * A cheater takes several HTLCs with one transaction, as LDK does on anchor channels: each output of it
 * is taken back, whatever else the transaction spends and pays (onchain-engine 5.2.3). And HTLCs that look
 * alike: two parts of one payment with the same hash and amount are told apart by their outputs.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { txid } from "@farwatch/protocol/ids";
import { claimWithPreimage } from "../channel/claims.js";
import { aggregatedSuccess } from "../channel/aggregated-success.js";
import { htlcSuccessTx } from "../channel/broadcast.js";
import { secretNamed } from "../channel/test-channel.js";
import { protectedChannel } from "./protected-channel.js";
import {
  assertClaims,
  CHANNEL_TYPES,
  counterpartyCloses,
  fulfill,
  htlcOutpoint,
  number,
  outcomes,
  pay,
  revokedOutputs,
} from "./scenario.js";

const outputsOf = (raw: Uint8Array) => {
  const tx = Transaction.fromBuffer(raw);
  return tx.outs.map((_, vout) => ({ txid: txid(tx.getId()), vout }));
};

for (const channelType of CHANNEL_TYPES.filter((type) => type !== "static_remote_key")) {
  describe(`monitor core: aggregated second stages of ${channelType}`, () => {
    it("every output is taken back", async () => {
      const p = await protectedChannel({ channelType });
      const ours = await pay(
        p,
        { from: "holder", sat: 20_000, name: "same", expiry: 600 },
        { from: "holder", sat: 25_000, name: "same", expiry: 600 },
        { from: "holder", sat: 30_000, name: "same", expiry: 600 },
      );
      const old = number(p, "counterparty");
      for (const htlc of ours) await fulfill(p, htlc, "same");
      counterpartyCloses(p, old);
      p.mineEmpty(1);
      const { preimage } = secretNamed("same");
      const all = ours.map((htlc) => ({ htlc, preimage }));
      const taken = aggregatedSuccess(p.channel, "counterparty", old, all);
      p.mine(taken);
      const [toLocal] = revokedOutputs(p, old);
      assertClaims(p, [must(toLocal, "to_local"), ...outputsOf(taken)]);
      p.minePublished("justice");
      p.mineEmpty(6);
      assert.deepEqual(p.state.claims, []);
      assert.equal(p.state.tracked.length, 0);
    });
  });
}

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: HTLCs that look alike, ${channelType}`, () => {
    const twins = async (from: "holder" | "counterparty") => {
      const p = await protectedChannel({ channelType });
      const [one, two] = await pay(
        p,
        { from, sat: 20_000, name: "same", expiry: 520 },
        { from, sat: 20_000, name: "same", expiry: 520 },
      );
      return { p, one: must(one, "HTLC"), two: must(two, "HTLC"), at: number(p, "counterparty") };
    };

    it("on the counterparty's commitment: one is claimed, the other refunded", async () => {
      const { p, one, two, at } = await twins("holder");
      counterpartyCloses(p);
      p.mineTo(521);
      p.mine(htlcSuccessTx(p.channel, "counterparty", at, two, secretNamed("same").preimage));
      assert.deepEqual([outcomes(p, one), outcomes(p, two)], [[], ["claimed:chain"]]);
      assertClaims(p, [htlcOutpoint(p, "counterparty", at, one)]);
      p.minePublished();
      p.mineEmpty(5);
      assert.deepEqual([outcomes(p, one), outcomes(p, two)], [["failed:chain"], ["claimed:chain"]]);
    });

    it("on our commitment: one is claimed, the other fails", async () => {
      const { p, one, two } = await twins("holder");
      const at = number(p, "holder");
      await p.channel.forceClose("holder", true);
      p.minePublished("holderCommitment");
      p.mineTo(521);
      const preimage = secretNamed("same").preimage;
      p.mine(claimWithPreimage(p.channel, "holder", at, one, preimage));
      assert.deepEqual([outcomes(p, one), outcomes(p, two)], [["claimed:chain"], []]);
      assert.equal(p.state.outputSpends.size, 1);
    });

    it("inbound: one preimage claims both", async () => {
      const { p, one, two, at } = await twins("counterparty");
      p.learn(secretNamed("same").preimage, one.source.sourceKey);
      counterpartyCloses(p);
      const [first, second] = [one, two].map((htlc) => htlcOutpoint(p, "counterparty", at, htlc));
      assert.ok(first !== undefined && second !== undefined);
      assertClaims(p, [first, second]);
      p.minePublished();
      assert.deepEqual(p.published(), []);
    });
  });
}
