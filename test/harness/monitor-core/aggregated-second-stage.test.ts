/**
 * A cheater takes several HTLCs with one transaction, as LDK does on anchor channels: each output of it
 * is taken back, whatever else the transaction spends and pays (onchain-engine 5.2.3). And HTLCs that look
 * alike: two parts of one payment with the same hash and amount are told apart by their outputs.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { txid } from "@farwatch/protocol/ids";
import { SIGHASH_ALL } from "@farwatch/monitor-service/bolt/signature";
import { htlcTxWitness } from "@farwatch/monitor-service/tx/second-stage";
import { claimWithPreimage } from "../channel/claims.js";
import { findUntrimmed, secondStageOf } from "../channel/commitment.js";
import { htlcSuccessTx } from "../channel/broadcast.js";
import type { Htlc } from "../channel/ledger.js";
import { secretNamed } from "../channel/test-channel.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
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

/** HTLC-success of several HTLCs in one transaction: their signatures bind each input to its output. */
function aggregatedSuccess(p: ProtectedChannel, at: number, htlcs: readonly Htlc[], name: string) {
  const { setup } = p.channel;
  const commitment = p.channel.commitment("counterparty", at);
  const parts = htlcs.map((htlc) => {
    const found = findUntrimmed(commitment, htlc);
    return { found, ...secondStageOf(setup, commitment, found) };
  });
  const tx = new Transaction();
  tx.version = must(parts[0], "part").tx.version;
  for (const { tx: single } of parts) {
    const { hash, index, sequence } = must(single.ins[0], "input");
    tx.addInput(hash, index, sequence);
    const { script, value } = must(single.outs[0], "output");
    tx.addOutput(script, value);
  }
  for (const [index, { found, witnessScript, amountSat }] of parts.entries()) {
    const digest = tx.hashForWitnessV0(index, witnessScript, amountSat, SIGHASH_ALL);
    const key = { kind: "htlc", perCommitmentPoint: commitment.keys.perCommitmentPoint } as const;
    const witness = htlcTxWitness({
      channelType: setup.channelType,
      counterpartySignature: must(commitment.htlcSignatures[found.position], "signature"),
      broadcasterSignature: setup.sides.counterparty.party.sign(key, digest),
      preimage: secretNamed(name).preimage,
      htlcScript: witnessScript,
    });
    tx.setWitness(index, witness);
  }
  return Uint8Array.from(tx.toBuffer());
}

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
      const taken = aggregatedSuccess(p, old, ours, "same");
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
