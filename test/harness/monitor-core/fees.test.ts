/**
 * Fees of our claims (onchain-engine 9.4, 9.5): chosen from the block that opens them, raised in time,
 * never lowered, never below dust; a joint claim that loses an input goes on without it.
 */
import assert from "node:assert/strict";
import { feeratePerKw } from "@farwatch/protocol/amount";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { DEFAULT_MAX_FEERATE } from "@farwatch/monitor-service/monitor/constants";
import type { Claim } from "@farwatch/monitor-service/monitor/state";
import { dustLimitSat } from "@farwatch/monitor-service/tx/fee";
import { htlcTimeoutTx } from "../channel/broadcast.js";
import { feerates, protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import {
  assertClaims,
  counterpartyCloses,
  fulfill,
  htlcOutpoint,
  number,
  pay,
  revokedOutputs,
} from "./scenario.js";

/** A signature may be a byte or two shorter than the bound the weight was computed with. */
const WEIGHT_SLACK = 0.98;

/** Whole satoshis of a claim of at least 400 weight units, in sat per 1000 of them. */
const ROUNDING = 3;

const outputSat = (raw: Uint8Array): bigint =>
  must(Transaction.fromBuffer(raw).outs[0], "output").value;

/** Fee per 1000 weight units of what is on the wire. */
const rateOf = (p: ProtectedChannel, raw: Uint8Array): number =>
  (Number(p.chain.feeSat(raw)) * 1000) / Transaction.fromBuffer(raw).weight();

/** Blocks before a deadline within which a fee may rise at every block (tx/fee.ts). */
const LAST_BLOCKS = 15;

const nearDeadline = ({ inputs }: Claim, height: number): boolean =>
  inputs.some(({ deadline }) => deadline !== undefined && deadline <= height + LAST_BLOCKS);

/** A revoked commitment with one HTLC of ours and one of theirs. */
async function cheated(theirsSat = 30_000) {
  const p = await protectedChannel();
  const [ours, theirs] = await pay(
    p,
    { from: "holder", sat: 20_000, name: "ours", expiry: 600 },
    { from: "counterparty", sat: theirsSat, name: "theirs", expiry: 600 },
  );
  assert.ok(ours !== undefined && theirs !== undefined);
  const old = number(p, "counterparty");
  await fulfill(p, ours, "ours");
  await fulfill(p, theirs, "theirs");
  return { p, ours, theirs, old };
}

describe("monitor core: fees of claims", () => {
  it("are chosen from the estimate of the block that opens the claim", async () => {
    const { p, old } = await cheated();
    p.mineEmpty(3);
    p.feerates = feerates(4_000);
    counterpartyCloses(p, old);
    for (const { raw } of p.published()) {
      const rate = rateOf(p, raw);
      assert.ok(rate >= 4_000 * WEIGHT_SLACK && rate <= 4_000 / WEIGHT_SLACK, `${rate}`);
    }
    assert.equal(p.state.claims[0]?.locktime, p.height);
    p.assertPublishable();
  });

  it("are chosen from the newest estimate right after a reorg too", async () => {
    const { p, old } = await cheated();
    p.feerates = feerates(4_000);
    p.mineEmpty(3);
    p.disconnect(1);
    counterpartyCloses(p, old);
    for (const { raw } of p.published()) assert.ok(rateOf(p, raw) >= 4_000 * WEIGHT_SLACK);
  });

  it("rise by a quarter at every timer while nothing confirms, and never fall", async () => {
    const { p, old } = await cheated();
    p.feerates = feerates(1_000);
    counterpartyCloses(p, old);
    p.feerates = feerates(300);
    let before = p.state.claims;
    let bumps = 0;
    for (let i = 0; i < 160; i++) {
      p.mine();
      for (const [index, claim] of p.state.claims.entries()) {
        const was = must(before[index], "claim");
        const rate = must(claim.feeratePerKw, "feerate");
        const old = must(was.feeratePerKw, "feerate");
        assert.ok(rate >= old, "a feerate never falls");
        if (rate === old) continue;
        const isHighest = rate === DEFAULT_MAX_FEERATE;
        assert.ok(isHighest || rate >= old * 1.25 - ROUNDING, `${old} -> ${rate}`);
        const early = p.height < was.nextBumpAt;
        assert.ok(!early || nearDeadline(was, p.height), "not before its timer");
        bumps++;
      }
      before = p.state.claims;
      for (const { raw } of p.published()) {
        const { destinationScript } = p.state.parameters;
        assert.ok(outputSat(raw) >= dustLimitSat(destinationScript));
      }
    }
    assert.ok(bumps > 10, `${bumps} bumps`);
    p.assertPublishable();
  });

  it("rise slowly while a deadline is far, though the output was contested from the start", async () => {
    const { p, old } = await cheated();
    p.feerates = feerates(1_000);
    counterpartyCloses(p, old);
    const before = new Map(p.state.claims.map((claim) => [claim.id, claim]));
    for (let i = 0; i < 12; i++) p.mine();
    for (const claim of p.state.claims) {
      const [input] = claim.inputs;
      if (input?.kind !== "revokedHtlc") continue;
      assert.equal(claim.feeratePerKw, must(before.get(claim.id), "claim").feeratePerKw);
    }
    assert.ok(p.state.claims.some(({ inputs }) => inputs[0]?.kind === "revokedHtlc"));
  });

  it("follow an estimate that rises at the very next block", async () => {
    const { p, old } = await cheated();
    p.feerates = feerates(300);
    counterpartyCloses(p, old);
    p.feerates = feerates(6_000);
    p.mineEmpty(1);
    for (const claim of p.state.claims) {
      assert.ok(must(claim.feeratePerKw, "feerate") >= feeratePerKw(6_000));
    }
  });

  it("never leave dust: an output worth less than its fee is not claimed for now", async () => {
    const { p, theirs, old } = await cheated(600);
    p.feerates = feerates(2_000);
    p.mineTo(595);
    counterpartyCloses(p, old);
    const key = htlcOutpoint(p, "counterparty", old, theirs).vout;
    const spendsIt = (raw: Uint8Array) => p.chain.inputsOf(raw).some(({ vout }) => vout === key);
    for (const { raw } of p.published()) {
      assert.ok(outputSat(raw) >= dustLimitSat(p.state.parameters.destinationScript));
    }
    p.mineEmpty(10);
    for (const { raw } of p.published().filter((item) => spendsIt(item.raw))) {
      assert.ok(outputSat(raw) >= dustLimitSat(p.state.parameters.destinationScript));
    }
  });

  it("of a joint claim that loses an input: it goes on without it at no lower feerate", async () => {
    const { p, theirs, old } = await cheated();
    counterpartyCloses(p, old);
    const joint = must(
      p.state.claims.find(({ inputs }) => inputs.length === 2),
      "a claim of to_local and the far HTLC",
    );
    p.mineTo(600);
    const before = must(p.state.claims.find(({ id }) => id === joint.id)?.feeratePerKw, "feerate");
    p.mine(htlcTimeoutTx(p.channel, "counterparty", old, theirs));
    const after = must(p.state.claims.find(({ id }) => id === joint.id)?.feeratePerKw, "feerate");
    assert.ok(after >= before);
    const lost = htlcOutpoint(p, "counterparty", old, theirs);
    const rest = revokedOutputs(p, old).filter(({ vout }) => vout !== lost.vout);
    const second = {
      txid: must(p.chain.spenderOf(lost), "second stage"),
      vout: 0,
    };
    assertClaims(p, [...rest, second]);
    p.minePublished();
    assert.deepEqual(p.published(), []);
  });

  it("stay as they are when a state is read again", async () => {
    const { p, old } = await cheated();
    counterpartyCloses(p, old);
    const before = p.published();
    p.reload();
    assert.deepEqual(p.published(), before);
  });
});
