/**
 * bitcoind does not take a claim (onchain-engine 9.7): the fee rises at once, some times a block; an input
 * spent by somebody's unconfirmed transaction leaves the joint claim (M-10). A refusal tells nothing.
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockHeight } from "@farwatch/protocol/block";
import {
  channelId,
  htlcId,
  outpointKey,
  type Outpoint,
  type Preimage,
} from "@farwatch/protocol/ids";
import { REFUSALS_PER_BLOCK } from "@farwatch/monitor-service/monitor/constants";
import type { RefusedClaim } from "@farwatch/monitor-service/monitor/input";
import { outstanding } from "@farwatch/monitor-service/monitor/outstanding";
import type { Claim } from "@farwatch/monitor-service/monitor/state";
import { htlcTimeoutTx } from "../channel/broadcast.js";
import { forwardSource } from "../channel/sources.js";
import { secretNamed } from "../channel/test-channel.js";
import { feerates, protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import {
  assertClaims,
  counterpartyCloses,
  fulfill,
  htlcOutpoint,
  number,
  outcomes,
  pay,
  revokedOutputs,
} from "./scenario.js";

/** A revoked commitment: to_local and an HTLC far from expiry share a claim, another HTLC is alone. */
async function cheated() {
  const p = await protectedChannel();
  const [ours, theirs] = await pay(
    p,
    { from: "holder", sat: 20_000, name: "ours", expiry: 600 },
    { from: "counterparty", sat: 30_000, name: "theirs", expiry: 600 },
  );
  assert.ok(ours !== undefined && theirs !== undefined);
  const old = number(p, "counterparty");
  await fulfill(p, ours, "ours");
  await fulfill(p, theirs, "theirs");
  p.feerates = feerates(1_000);
  counterpartyCloses(p, old);
  return { p, ours, theirs, old };
}

const claimOf = (p: ProtectedChannel, outpoint: Outpoint): Claim =>
  must(
    p.state.claims.find(({ inputs }) =>
      inputs.some((input) => outpointKey(input.outpoint) === outpointKey(outpoint)),
    ),
    "claim",
  );

/** Tells that the newest version of the claim on this output was refused. */
function refuse(
  p: ProtectedChannel,
  outpoint: Outpoint,
  reason: RefusedClaim["reason"],
  contested: readonly Outpoint[] = [],
  revealed: readonly Preimage[] = [],
): void {
  const { id } = claimOf(p, outpoint);
  const publish = outstanding(p.ctx, p.state).find(({ claim }) => claim?.id === id);
  const { txid } = must(publish, "a version");
  const events = p.events.length;
  p.apply({ kind: "claimRefused", claim: id, txid, reason, contested, revealed });
  assert.equal(p.events.length, events);
  p.assertPublishable();
}

describe("monitor core: refused claims", () => {
  it("pay a quarter more at once, a few times for each block", async () => {
    const { p, old } = await cheated();
    const [toLocal] = revokedOutputs(p, old);
    assert.ok(toLocal !== undefined);
    const rates = [claimOf(p, toLocal).feeratePerKw];
    for (let i = 0; i <= REFUSALS_PER_BLOCK; i++) {
      refuse(p, toLocal, "insufficientFee");
      rates.push(claimOf(p, toLocal).feeratePerKw);
    }
    assert.deepEqual(rates, [1_000, 1_252, 1_565, 1_956, 2_445, 2_445]);
    p.mine();
    refuse(p, toLocal, "insufficientFee");
    assert.equal(claimOf(p, toLocal).feeratePerKw, 3_056);
    assertClaims(p, revokedOutputs(p, old));
  });

  it("an answer about an older version or about no claim changes nothing", async () => {
    const { p, old } = await cheated();
    const [toLocal] = revokedOutputs(p, old);
    assert.ok(toLocal !== undefined);
    const { id } = claimOf(p, toLocal);
    const first = outstanding(p.ctx, p.state).find(({ claim }) => claim?.id === id);
    const { txid } = must(first, "a version");
    refuse(p, toLocal, "insufficientFee");
    const { state } = p;
    const nothing = { contested: [], revealed: [] };
    const late = { kind: "claimRefused", txid, reason: "insufficientFee", ...nothing } as const;
    p.apply({ ...late, claim: id });
    p.apply({ ...late, claim: "none" });
    assert.equal(p.state, state);
  });

  it("an input somebody else spends goes alone, the rest goes on at no lower feerate", async () => {
    const { p, theirs, old } = await cheated();
    const [toLocal] = revokedOutputs(p, old);
    assert.ok(toLocal !== undefined);
    const contested = htlcOutpoint(p, "counterparty", old, theirs);
    const joint = claimOf(p, toLocal);
    assert.equal(claimOf(p, contested), joint);
    p.mineTo(600);
    const before = must(claimOf(p, toLocal).feeratePerKw, "feerate");
    refuse(p, toLocal, "insufficientFee", [contested]);
    assert.deepEqual(
      [toLocal, contested].map((outpoint) => claimOf(p, outpoint).inputs.length),
      [1, 1],
    );
    for (const outpoint of [toLocal, contested]) {
      assert.ok(must(claimOf(p, outpoint).feeratePerKw, "feerate") >= before);
    }
    assertClaims(p, revokedOutputs(p, old));
    p.reload();
    p.mine(htlcTimeoutTx(p.channel, "counterparty", old, theirs));
    p.minePublished("justice");
    assert.deepEqual(p.published(), []);
    p.disconnect(2);
    p.mine();
    assertClaims(p, revokedOutputs(p, old));
  });

  it("does not outbid others for an output that is ours behind their transaction too", async () => {
    const { p, ours, theirs, old } = await cheated();
    for (const htlc of [ours, theirs]) {
      const outpoint = htlcOutpoint(p, "counterparty", old, htlc);
      if (claimOf(p, outpoint).inputs.length > 1) refuse(p, outpoint, "missingInputs", [outpoint]);
      const { state } = p;
      refuse(p, outpoint, "insufficientFee", [outpoint]);
      assert.equal(p.state, state);
    }
  });

  it("outbids others where time costs money", async () => {
    const { p, old } = await cheated();
    const [toLocal] = revokedOutputs(p, old);
    assert.ok(toLocal !== undefined);
    const [, other] = claimOf(p, toLocal).inputs;
    refuse(p, toLocal, "insufficientFee", [must(other, "joint").outpoint]);
    const before = must(claimOf(p, toLocal).feeratePerKw, "feerate");
    refuse(p, toLocal, "insufficientFee", [toLocal]);
    assert.ok(must(claimOf(p, toLocal).feeratePerKw, "feerate") > before);
  });

  it("relays a preimage that the other transaction shows, and decides nothing by it", async () => {
    const p = await protectedChannel();
    const from = {
      channelId: channelId("a".repeat(64)),
      htlcId: htlcId(3n),
      amountMsat: msat(21_000_000),
      cltvExpiry: blockHeight(600),
      userChannelId: undefined,
    };
    const { preimage, paymentHash } = secretNamed("forward");
    const cltvExpiry = blockHeight(540);
    const source = forwardSource(from);
    const add = { amountMsat: msat(20_000_000), paymentHash, cltvExpiry, source };
    const htlc = p.channel.addHtlc("holder", add);
    await p.channel.settle();
    counterpartyCloses(p);
    p.mineTo(540);
    const at = htlcOutpoint(p, "counterparty", number(p, "counterparty"), htlc);
    assert.equal(claimOf(p, at).inputs[0]?.deadline, 600, "the inbound HTLC's expiry");
    const before = must(claimOf(p, at).feeratePerKw, "feerate");
    const unrelated = secretNamed("other").preimage;
    refuse(p, at, "insufficientFee", [at], [unrelated, preimage]);
    const { sourceKey } = source;
    assert.deepEqual(p.relays, [{ inboundChannelId: from.channelId, preimage, sourceKey }]);
    assert.ok(must(claimOf(p, at).feeratePerKw, "feerate") > before, "our refund still competes");
    p.minePublished();
    p.mineEmpty(5);
    assert.deepEqual(outcomes(p, htlc), ["failed:chain"]);
  });

  it("waits for the block when an input is spent by something confirmed or unknown", async () => {
    const { p, old } = await cheated();
    const [toLocal] = revokedOutputs(p, old);
    assert.ok(toLocal !== undefined);
    const { state } = p;
    refuse(p, toLocal, "missingInputs");
    assert.equal(p.state, state);
  });
});
