/**
 * What zero_fee_commitments changes for a monitor (BOLT pull request 1228; onchain-engine 2.6, 18.8):
 * version 3 for what spends the funding or is pre-signed, version 2 for claims, no wait for a block,
 * feerate 0 and at most 114 HTLCs a side. Closes of all types are in the *-close tests.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import type { CommitmentHtlc } from "@farwatch/protocol/channel";
import { hash32, htlcId, updateId } from "@farwatch/protocol/ids";
import { createMonitor } from "@farwatch/monitor-service/monitor/create";
import { batchPlan } from "@farwatch/monitor-service/monitor/bumps/bump-plans";
import { bumpRequests } from "@farwatch/monitor-service/monitor/bumps/bump-requests";
import { completeBump } from "@farwatch/monitor-service/monitor/bumps/complete-bump";
import { RBF_SEQUENCE } from "@farwatch/monitor-service/tx/claim";
import { secretNamed, offer } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { coinNamed, fundedWith } from "./fake-fee-wallet.js";
import { BASE, protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { counterpartyCloses, fulfill, number, pay } from "./scenario.js";

const channelType = "zero_fee_commitments";
const MOST_HTLCS = 114;

const parsed = (raw: Uint8Array): Transaction => Transaction.fromBuffer(Uint8Array.from(raw));

async function withBoth() {
  const p = await protectedChannel({ channelType });
  const [ours, theirs] = await pay(
    p,
    { from: "holder", sat: 20_000, name: "ours", expiry: 520 },
    { from: "counterparty", sat: 30_000, name: "theirs", expiry: 560 },
    { from: "holder", sat: 100, name: "dust", expiry: 700 },
  );
  return { p, ours: must(ours, "ours"), theirs: must(theirs, "theirs") };
}

/** The next counterparty commitment, kept back, with `count` more dust HTLCs than it has. */
async function crowded(p: ProtectedChannel, count: number) {
  p.held = [];
  const dust = offer(p.channel, "holder", 200, "crowd");
  await p.channel.signCommitment("holder");
  const told = must(p.held.flat()[0], "told");
  assert.ok(told.kind === "latestCounterpartyCommitment");
  const { htlcs } = told.commitment;
  const last = must(
    htlcs.find((htlc) => htlc.htlcId === dust.id && !htlc.offered),
    "dust",
  );
  const more: readonly CommitmentHtlc[] = Array.from({ length: count }, (_, i) => ({
    ...last,
    htlcId: htlcId(1_000n + BigInt(i)),
  }));
  // Trimmed HTLCs leave no trace in the transaction, so the txid stays right.
  return { ...told, commitment: { ...told.commitment, htlcs: [...htlcs, ...more] } };
}

describe("monitor core: zero_fee_commitments", () => {
  it("refuses a commitment whose feerate is not 0, first and later", async () => {
    const p = await protectedChannel({ channelType });
    const initial = p.channel.initialState("holder");
    const args = { updateId: updateId(0n), updateHash: hash32("cc".repeat(32)), best: BASE };
    for (const name of ["holderCommitment", "counterpartyCommitment"] as const) {
      const commitment = { ...initial[name], feeratePerKw: feeratePerKw(1) };
      const made = createMonitor(p.ctx, { ...initial, [name]: commitment }, args);
      assert.ok(!made.ok);
      assert.equal(made.error.reason, "malformed");
      assert.equal(made.error.details["field"], "feerate_per_kw");
    }
    const next = await crowded(p, 0);
    const paying = { ...next.commitment, feeratePerKw: feeratePerKw(253) };
    assert.equal(p.refused(p.updateInput([{ ...next, commitment: paying }])), "malformed");
    p.update([next]);
  });

  it("takes 114 HTLCs of a side, trimmed ones included, and not 115", async () => {
    const p = await protectedChannel({ channelType });
    assert.equal(p.refused(p.updateInput([await crowded(p, MOST_HTLCS)])), "tooLarge");
    const q = await protectedChannel({ channelType });
    q.update([await crowded(q, MOST_HTLCS - 1)]);
    const anchors = await protectedChannel({ channelType: "anchors_zero_fee_htlc" });
    anchors.update([await crowded(anchors, MOST_HTLCS)]);
  });

  it("refuses a first state whose outputs exceed the channel, although its anchor is 0", async () => {
    const p = await protectedChannel({ channelType });
    const initial = p.channel.initialState("holder");
    const { parameters } = initial;
    const channelValueSat = sat(parameters.channelValueSat - 1n);
    const args = { updateId: updateId(0n), updateHash: hash32("cc".repeat(32)), best: BASE };
    const made = createMonitor(
      p.ctx,
      { ...initial, parameters: { ...parameters, channelValueSat } },
      args,
    );
    assert.ok(!made.ok);
    assert.equal(made.error.details["field"], "to_local_sat");
  });

  it("publishes its commitment as version 3 with the shared anchor", async () => {
    const { p } = await withBoth();
    await p.channel.forceClose("holder", true);
    const [commitment] = p.published("holderCommitment");
    const tx = parsed(must(commitment, "commitment").raw);
    assert.equal(tx.version, 3);
    const anchors = tx.outs.filter(
      ({ script }) => Buffer.from(script).toString("hex") === "51024e73",
    );
    assert.deepEqual(
      anchors.map(({ value }) => value),
      [100n],
    );
  });

  it("drafts second stages as version 3 that need no block in between", async () => {
    const { p, theirs } = await withBoth();
    await p.channel.forceClose("holder", true);
    p.minePublished("holderCommitment");
    p.mineTo(520);
    p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
    const wanted = bumpRequests(p.ctx, p.state).map((request) => {
      assert.ok(request.kind === "htlcs");
      return must(batchPlan(request, request.htlcs), "worth a fee");
    });
    assert.deepEqual(
      wanted.map(({ role, inputs }) => [role, ...inputs.map(({ inputWeight }) => inputWeight)]),
      [
        ["holderHtlcTimeout", 164 + 285],
        ["holderHtlcSuccess", 164 + 324],
      ],
    );
    for (const plan of wanted) {
      assert.equal(plan.version, 3);
      assert.equal(must(plan.inputs[0], "input").sequence, 0);
      const coins = [coinNamed(0)];
      const asVersion2 = fundedWith(plan, 1_000n, coins, (tx) => void (tx.version = 2));
      assert.deepEqual(completeBump(plan, asVersion2), { ok: false, error: "changed" });
      assert.ok(completeBump(plan, fundedWith(plan, 1_000n, coins)).ok);
    }
  });

  it("claims with version 2: in the next block, replaceable, to_remote by its key alone", async () => {
    const { p, theirs } = await withBoth();
    counterpartyCloses(p);
    p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
    p.mineTo(520);
    const claims = p.published("counterpartyHtlcClaim").map(({ raw }) => parsed(raw));
    assert.equal(claims.flatMap(({ ins }) => ins).length, 2);
    for (const { version, ins } of claims) {
      assert.equal(version, 2);
      for (const { sequence } of ins) assert.equal(sequence, RBF_SEQUENCE);
    }
    p.assertPublishable();
    const [told] = bodiesOf(p.events, "spendableOutputs").flatMap(({ outputs }) => outputs);
    assert.equal(told?.output.kind === "staticPayment" && told.output.csvOne, false);
    assert.equal(told?.scriptPubkey.length, 22, "P2WPKH");
  });

  it("punishes with version 2", async () => {
    const { p, ours } = await withBoth();
    const old = number(p, "counterparty");
    await fulfill(p, ours, "ours");
    counterpartyCloses(p, old);
    const justice = p.published("justice").map(({ raw }) => parsed(raw));
    assert.equal(justice.flatMap(({ ins }) => ins).length, 3);
    for (const { version } of justice) assert.equal(version, 2);
  });
});
