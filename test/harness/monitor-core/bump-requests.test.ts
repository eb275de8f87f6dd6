/**
 * What a wallet is asked to pay for on anchor channels: our commitment until one confirms, then its
 * second stages; at which feerate, grouped how, for how long (onchain-engine 9.2 to 9.5, contract 2.19).
 */
import assert from "node:assert/strict";
import { sha256 } from "@noble/hashes/sha2.js";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { IRREVOCABLE_DEPTH } from "@farwatch/monitor-service/monitor/constants";
import { concatBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import { outpointKey, txidToInternal, type Outpoint } from "@farwatch/protocol/ids";
import { anchorScript, p2wsh, SHARED_ANCHOR_SCRIPT } from "@farwatch/protocol/bolt/scripts";
import { bumpRequests } from "@farwatch/monitor-service/monitor/bumps/bump-requests";
import type { CommitmentBump, HtlcBump } from "@farwatch/monitor-service/monitor/effect";
import { claimWithPreimage } from "../channel/claims.js";
import type { Htlc } from "../channel/ledger.js";
import { seedSigner } from "../channel/seed-signer.js";
import { DEFAULT_SEEDS } from "../channel/setup.js";
import { secretNamed } from "../channel/test-channel.js";
import { feerates, protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { counterpartyCloses, htlcOutpoint, number, pay, type Payment } from "./scenario.js";

const requests = (p: ProtectedChannel) => bumpRequests(p.ctx, p.state);

function commitmentRequest(p: ProtectedChannel): CommitmentBump {
  const [request] = requests(p);
  assert.ok(request?.kind === "commitment" && requests(p).length === 1);
  return request;
}

const htlcRequests = (p: ProtectedChannel): readonly HtlcBump[] =>
  requests(p).map((request) => {
    assert.ok(request.kind === "htlcs");
    return request;
  });

/** Outpoints of each request, as text. */
const asked = (p: ProtectedChannel): readonly (readonly string[])[] =>
  htlcRequests(p).map(({ htlcs }) => htlcs.map(({ input }) => outpointKey(input.outpoint)));

const rates = (p: ProtectedChannel) => requests(p).map(({ targetFeerate }) => targetFeerate);

/** The request as a restarted monitor makes it. */
const facts = (p: ProtectedChannel) =>
  requests(p).map(({ claimId, targetFeerate }) => ({ claimId, targetFeerate }));

async function anchors(...payments: readonly Payment[]) {
  const p = await protectedChannel({ channelType: "anchors_zero_fee_htlc" });
  const htlcs = await pay(p, ...payments);
  return { p, htlcs };
}

const OURS: Payment = { from: "holder", sat: 20_000, name: "ours", expiry: 700 };

describe("monitor core: a wallet's fee for our commitment", () => {
  it("names the signed commitment, its fee and weight, and our anchor", async () => {
    const { p } = await anchors(OURS);
    assert.deepEqual(requests(p), []);
    await p.channel.forceClose("holder", true);
    const { claimId, commitment, anchor, ...request } = commitmentRequest(p);
    const { channelKeysId, channelValueSat, holderPubkeys } = p.state.parameters;
    const signer = seedSigner(p.ctx.curve, DEFAULT_SEEDS.holder, p.floors);
    const raw = commitment.finish(signer.sign(channelKeysId, commitment.tasks));
    assert.equal(p.chain.hindrance(raw), undefined, "valid as it is");
    const tx = Transaction.fromBuffer(raw);
    assert.equal(claimId, toHex(txidToInternal(commitment.txid)));
    const paid = tx.outs.reduce((sum, { value }) => sum + value, 0n);
    assert.equal(request.commitmentFeeSat, channelValueSat - paid);
    const slack = request.commitmentWeight - tx.weight();
    assert.ok(slack >= 0 && slack <= 6, `${slack} weight units above the real weight`);
    assert.ok(anchor !== undefined);
    const output = must(tx.outs[anchor.outpoint.vout], "anchor");
    assert.deepEqual(output.script, p2wsh(anchorScript(holderPubkeys.fundingPubkey)));
    assert.deepEqual(
      [output.value, output.script, commitment.txid],
      [anchor.valueSat, anchor.scriptPubkey, anchor.outpoint.txid],
    );
    assert.equal(anchor.inputWeight, 164 + 115);
  });

  it("of zero_fee_commitments names the shared anchor, which needs no witness", async () => {
    const p = await protectedChannel({ channelType: "zero_fee_commitments" });
    await pay(p, OURS);
    await p.channel.forceClose("holder", true);
    const { anchor, commitment, commitmentFeeSat } = commitmentRequest(p);
    assert.equal(commitmentFeeSat, 0n);
    assert.ok(anchor !== undefined);
    assert.deepEqual(anchor.scriptPubkey, SHARED_ANCHOR_SCRIPT);
    assert.equal(anchor.outpoint.txid, commitment.txid);
    assert.equal(anchor.inputWeight, 164 + 1);
    p.minePublished("holderCommitment");
    p.mineTo(700);
    assert.equal(htlcRequests(p)[0]?.htlcs[0]?.input.inputWeight, 164 + 285);
  });

  it("costs at most half of what the commitment brings us", async () => {
    const { p } = await anchors(
      OURS,
      { from: "counterparty", sat: 30_000, name: "known" },
      { from: "counterparty", sat: 40_000, name: "unknown" },
    );
    p.learn(secretNamed("known").preimage, must(p.channel.liveHtlcs()[0], "any").source.sourceKey);
    await p.channel.forceClose("holder", true);
    const { toLocalSat } = p.state.holder;
    assert.equal(commitmentRequest(p).maxFeeSat, (toLocalSat + 20_000n + 30_000n) / 2n);
  });

  it("starts at the estimate, rises by a quarter a block, up to five estimates", async () => {
    const { p } = await anchors(OURS);
    p.feerates = feerates(1_000);
    p.mine();
    await p.channel.forceClose("holder", true);
    assert.deepEqual(rates(p), [1_000]);
    const seen: number[] = [];
    for (let i = 0; i < 12; i++) {
      p.mine();
      if (i === 3) p.reload();
      seen.push(Number(rates(p)[0]));
    }
    assert.deepEqual(
      seen,
      [1_250, 1_562, 1_952, 2_440, 3_050, 3_812, 4_765, 5_000, 5_000, 5_000, 5_000, 5_000],
    );
    p.feerates = feerates(900);
    p.mine();
    assert.deepEqual(rates(p), [5_000], "never less than before");
    p.feerates = feerates(9_000);
    p.mine();
    assert.deepEqual(rates(p), [9_000], "a higher estimate counts at once");
  });

  it("is urgent with an HTLC, dust included, and normal without any", async () => {
    for (const [payments, rate] of [
      [[], 300],
      [[{ from: "holder", sat: 100, name: "dust" }], 2_000],
    ] as const) {
      const { p } = await anchors(...payments);
      p.feerates = { urgent: feerates(2_000).urgent, normal: feerates(300).normal };
      p.mine();
      await p.channel.forceClose("holder", true);
      assert.deepEqual(rates(p), [rate]);
    }
  });

  it("never below the lowest feerate that is relayed", async () => {
    const { p } = await anchors();
    p.feerates = feerates(1);
    p.mine();
    await p.channel.forceClose("holder", true);
    assert.deepEqual(rates(p), [253]);
  });

  it("ends when a commitment confirms, whoever's, and is back after a reorg", async () => {
    const { p } = await anchors(OURS);
    await p.channel.forceClose("holder", true);
    const before = facts(p);
    counterpartyCloses(p);
    assert.deepEqual(requests(p), []);
    p.disconnect(1);
    assert.deepEqual(
      facts(p).map(({ claimId }) => claimId),
      before.map(({ claimId }) => claimId),
    );
    p.minePublished("holderCommitment");
    assert.deepEqual(requests(p), []);
  });

  it("is not asked of static_remote_key, whose transactions pay for themselves", async () => {
    const p = await protectedChannel({ channelType: "static_remote_key" });
    await pay(p, OURS);
    await p.channel.forceClose("holder", true);
    assert.deepEqual(requests(p), []);
    p.minePublished("holderCommitment");
    p.mineTo(700);
    assert.deepEqual(requests(p), []);
  });
});

/** Four received, two of them about to expire; three offered, two of them with one expiry. */
const MANY: readonly Payment[] = [
  { from: "counterparty", sat: 31_000, name: "far a", expiry: 600 },
  { from: "counterparty", sat: 32_000, name: "far b", expiry: 601 },
  { from: "counterparty", sat: 33_000, name: "near a", expiry: 515 },
  { from: "counterparty", sat: 34_000, name: "near b", expiry: 516 },
  { from: "holder", sat: 21_000, name: "late a", expiry: 520 },
  { from: "holder", sat: 22_000, name: "late b", expiry: 520 },
  { from: "holder", sat: 23_000, name: "later", expiry: 530 },
];

async function closedWithMany() {
  const { p, htlcs } = await anchors(...MANY);
  for (const [index, htlc] of htlcs.slice(0, 4).entries()) {
    const { name } = must(MANY[index], "payment");
    p.learn(secretNamed(name).preimage, htlc.source.sourceKey);
  }
  const at = number(p, "holder");
  await p.channel.forceClose("holder", true);
  p.mineTo(503);
  p.minePublished("holderCommitment");
  assert.equal(p.height, 504);
  const outpoints = htlcs.map((htlc) => htlcOutpoint(p, "holder", at, htlc));
  return { p, htlcs, at, outpoints };
}

const names = (outpoints: readonly Outpoint[], ...indices: readonly number[]) =>
  indices.map((index) => outpointKey(must(outpoints[index], "outpoint"))).sort();

const sorted = (groups: readonly (readonly string[])[]) =>
  groups.map((group) => [...group].sort()).sort();

describe("monitor core: a wallet's fee for second stages", () => {
  it("groups by locktime, and what the counterparty can spend soon apart", async () => {
    const { p, outpoints } = await closedWithMany();
    // 504 + 12 = 516: the counterparty can time out both near ones by then.
    const success = [names(outpoints, 0, 1), names(outpoints, 2, 3)];
    assert.deepEqual(sorted(asked(p)), sorted(success));
    assert.deepEqual(
      htlcRequests(p).map(({ locktime }) => locktime),
      [0, 0],
    );
    p.mineTo(519);
    assert.deepEqual(sorted(asked(p)), sorted(success), "no refund before its expiry");
    p.mineTo(520);
    const refunds = names(outpoints, 4, 5);
    assert.deepEqual(sorted(asked(p)), sorted([...success, refunds]));
    assert.equal(htlcRequests(p).at(-1)?.locktime, 520);
    p.mineTo(530);
    assert.deepEqual(sorted(asked(p)), sorted([...success, refunds, names(outpoints, 6)]));
  });

  it("names a claim after all of its outputs", async () => {
    const { p } = await closedWithMany();
    for (const { claimId, htlcs, commitmentTxid } of htlcRequests(p)) {
      const parts = htlcs.map(({ input: { outpoint } }) =>
        concatBytes(
          txidToInternal(commitmentTxid),
          fromHex(outpoint.vout.toString(16).padStart(8, "0")),
        ),
      );
      assert.equal(claimId, toHex(sha256(concatBytes(...parts))));
    }
  });

  it("gives each second stage as it was signed, with what it may cost", async () => {
    const { p } = await closedWithMany();
    for (const { htlcs } of htlcRequests(p)) {
      for (const { input, output, role, maxFeeSat } of htlcs) {
        assert.equal(input.sequence, 1, "BOLT 3: one block after the commitment");
        assert.equal(output.valueSat, input.valueSat);
        assert.equal(role, "holderHtlcSuccess");
        assert.equal(maxFeeSat, input.valueSat / 2n);
        assert.equal(input.inputWeight, 164 + 327);
        const { built } = p.channel.commitment("holder");
        assert.deepEqual(built.tx.outs[input.outpoint.vout]?.script, input.scriptPubkey);
      }
    }
  });

  it("raises a fee the more often the nearer its deadline is", async () => {
    const { p } = await closedWithMany();
    p.feerates = feerates(500);
    const changes = new Map<string, number[]>();
    let before = new Map(facts(p).map(({ claimId, targetFeerate }) => [claimId, targetFeerate]));
    const labels = new Map(
      htlcRequests(p).map(({ claimId, htlcs }) => [
        claimId,
        htlcs.some(({ input }) => input.valueSat === 31_000n) ? "far" : "near",
      ]),
    );
    while (p.height < 540) {
      p.mine();
      for (const { claimId, targetFeerate } of facts(p)) {
        const label = labels.get(claimId) ?? "refund";
        if (targetFeerate !== before.get(claimId) && before.has(claimId)) {
          changes.set(label, [...(changes.get(label) ?? []), p.height]);
        }
      }
      before = new Map(facts(p).map(({ claimId, targetFeerate }) => [claimId, targetFeerate]));
    }
    assert.deepEqual(changes.get("far"), [519, 534], "cltv 600: every 15 blocks");
    // cltv 515 at 504: 11 blocks left, then 8, 5, and from 513 on every block, up to 5 estimates.
    assert.deepEqual(changes.get("near"), [507, 510, 513, 514, 515, 516, 517, 518]);
    assert.deepEqual(changes.get("refund"), [535], "cltv 520 + 48: every 15 blocks");
  });

  it("a preimage that comes later is a claim of its own, at once", async () => {
    const { p, htlcs } = await anchors(
      { from: "counterparty", sat: 31_000, name: "first" },
      { from: "counterparty", sat: 32_000, name: "second" },
    );
    const [first, second] = htlcs;
    assert.ok(first !== undefined && second !== undefined);
    await p.channel.forceClose("holder", true);
    p.minePublished("holderCommitment");
    assert.deepEqual(requests(p), []);
    const learn = (name: string, { source }: Htlc) =>
      p.learn(secretNamed(name).preimage, source.sourceKey);
    learn("first", first);
    const [one] = facts(p);
    p.mine();
    learn("second", second);
    assert.equal(requests(p).length, 2);
    assert.equal(facts(p)[0]?.claimId, one?.claimId);
  });

  it("loses what somebody spent and keeps its name; a reorg brings it back", async () => {
    const { p, htlcs, at, outpoints } = await closedWithMany();
    p.mineTo(520);
    const claims = facts(p).map(({ claimId }) => claimId);
    const late = must(htlcs[4], "late a");
    p.mine(claimWithPreimage(p.channel, "holder", at, late, secretNamed("late a").preimage));
    assert.deepEqual(asked(p).at(-1), names(outpoints, 5));
    assert.deepEqual(
      facts(p).map(({ claimId }) => claimId),
      claims,
    );
    const rate = rates(p).at(-1);
    p.disconnect(1);
    p.mine();
    assert.deepEqual(sorted(asked(p).slice(-1)), [names(outpoints, 4, 5)]);
    assert.equal(rates(p).at(-1), rate);
    p.reload();
    assert.equal(facts(p).at(-1)?.claimId, claims.at(-1));
  });

  it("asks for nothing when all of a claim is spent, and forgets it 100 deep", async () => {
    const { p, htlcs, at } = await closedWithMany();
    p.mineTo(530);
    const later = must(htlcs[6], "later");
    assert.equal(requests(p).length, 4);
    p.mine(claimWithPreimage(p.channel, "holder", at, later, secretNamed("later").preimage));
    assert.equal(requests(p).length, 3);
    p.mineEmpty(IRREVOCABLE_DEPTH - 1);
    assert.equal(p.state.bumps.length, 4);
    p.mine();
    assert.equal(p.state.bumps.length, 3);
  });

  it("asks for nothing once the commitment itself is gone", async () => {
    const { p } = await closedWithMany();
    p.disconnect(1);
    assert.deepEqual(
      requests(p).map(({ kind }) => kind),
      ["commitment"],
    );
  });
});
