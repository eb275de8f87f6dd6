/**
 * The dance in single steps: when a change enters which commitment, what the monitor is told and when,
 * and what BOLT 2 does not allow.
 */
import assert from "node:assert/strict";
import { feeratePerKw, msat, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { preimage } from "@farwatch/protocol/ids";
import { openerCostSat } from "./proposals.js";
import { ChannelRefusal, type RefusalCode } from "./refusal.js";
import { forwardSource } from "./sources.js";
import { offer, recordedChannel, secretNamed, type Told } from "./test-channel.js";

const kinds = (told: readonly Told[]) => told.map(({ step }) => step.kind);
const refused = (code: RefusalCode) => (error: unknown) =>
  error instanceof ChannelRefusal && error.code === code;

describe("channel engine: the dance", () => {
  it("moves an add through both commitments, one revocation after the other", async () => {
    const { channel, told } = recordedChannel();
    const htlc = offer(channel, "holder", 50_000, "a");
    assert.equal(htlc.id, 0n);
    await channel.signCommitment("holder");
    assert.deepEqual(kinds(told), ["latestCounterpartyCommitment"]);
    assert.equal(channel.received("counterparty"), 0);
    await channel.receiveCommitment("counterparty");
    assert.equal(channel.commitment("counterparty").htlcs.length, 1);
    assert.equal(channel.canSign("counterparty"), false, "not acknowledged yet");
    await channel.revoke("counterparty");
    assert.equal(channel.revokedBelow("counterparty"), 1);
    await channel.receiveRevocation("holder");
    assert.deepEqual(kinds(told).slice(1), ["commitmentSecret"]);
    await channel.signCommitment("counterparty");
    const own = await channel.receiveCommitment("holder");
    assert.equal(own.htlcs[0]?.offered, true);
    assert.deepEqual(kinds(told).slice(2), ["latestHolderCommitment"]);
    assert.throws(() => channel.failHtlc(htlc), refused("notCommitted"));
    await channel.revoke("holder");
    await channel.receiveRevocation("counterparty");
    channel.failHtlc(htlc);
    assert.equal(channel.canSign("holder"), false);
  });

  it("lets a counterparty commitment that is still on its way be published", async () => {
    const { channel } = recordedChannel();
    offer(channel, "holder", 50_000, "a");
    await channel.signCommitment("holder");
    assert.equal(channel.commitment("counterparty").number, 1);
    assert.equal(channel.received("counterparty"), 0);
    assert.equal(channel.onItsWayTo("counterparty")?.kind, "commitmentSigned");
  });

  it("leaves what was proposed after signing to the next commitment", async () => {
    const { channel } = recordedChannel();
    offer(channel, "holder", 50_000, "a");
    await channel.signCommitment("holder");
    offer(channel, "holder", 60_000, "b");
    const first = await channel.receiveCommitment("counterparty");
    assert.equal(first.htlcs.length, 1);
    await channel.settle();
    assert.equal(channel.commitment("counterparty").htlcs.length, 2);
    assert.equal(channel.commitment("holder").htlcs.length, 2);
  });

  it("tells the preimage of an inbound HTLC before the fulfil is proposed", async () => {
    const { channel, told } = recordedChannel();
    const htlc = offer(channel, "counterparty", 50_000, "in");
    await channel.settle();
    const before = told.length;
    const claim = channel.fulfillHtlc(htlc, secretNamed("in").preimage);
    assert.deepEqual(kinds(told).slice(before), ["paymentPreimage"]);
    assert.equal(channel.canSign("holder"), false);
    await claim;
    assert.equal(channel.canSign("holder"), true);
    await channel.settle();
    const { balanceMsat } = channel.commitment("counterparty").state;
    assert.equal(balanceMsat.holder, 650_000_000n);
  });

  it("names claimed and failed outbound HTLCs once, in the commitment that drops them", async () => {
    const { channel, told } = recordedChannel();
    const paid = offer(channel, "holder", 50_000, "paid");
    const failed = offer(channel, "holder", 51_000, "failed");
    const inbound = offer(channel, "counterparty", 52_000, "in");
    await channel.settle();
    await channel.fulfillHtlc(paid, secretNamed("paid").preimage);
    channel.failHtlc(failed);
    await channel.fulfillHtlc(inbound, secretNamed("in").preimage);
    await channel.settle();
    const steps = told.flatMap(({ step }) =>
      step.kind === "latestHolderCommitment" ? [step] : [],
    );
    const claims = steps.flatMap((step) => step.claimed);
    assert.deepEqual(
      claims.map((entry) => entry.sourceKey),
      [paid.source.sourceKey],
    );
    assert.deepEqual(claims[0]?.preimage, secretNamed("paid").preimage);
    const fails = steps.flatMap((step) => step.failed);
    assert.deepEqual(
      fails.map((entry) => entry.sourceKey),
      [failed.source.sourceKey],
    );
    const dropping = must(
      steps.find((step) => step.claimed.length > 0),
      "the step that drops",
    );
    assert.ok(!dropping.commitment.htlcs.some((entry) => entry.source === paid.source));
  });

  it("gives sources to the offerer's monitor only, and offered as the broadcaster sees it", async () => {
    const protectedSides = ["holder", "counterparty"] as const;
    const { channel, told } = recordedChannel({ protectedSides });
    const source = forwardSource({
      channelId: channel.channelId,
      htlcId: offer(channel, "counterparty", 40_000, "in").id,
      amountMsat: msat(40_000_000),
      cltvExpiry: offer(channel, "counterparty", 41_000, "in2").cltvExpiry,
      userChannelId: undefined,
    });
    const { paymentHash } = secretNamed("out");
    const cltvExpiry = must(channel.liveHtlcs()[0], "first").cltvExpiry;
    channel.addHtlc("holder", { amountMsat: msat(39_000_000), paymentHash, cltvExpiry, source });
    await channel.settle();
    const listed = (side: Told["side"], kind: Told["step"]["kind"]) => {
      const found = told.findLast((item) => item.side === side && item.step.kind === kind)?.step;
      return found !== undefined && "commitment" in found ? found.commitment.htlcs : [];
    };
    const view = (list: ReturnType<typeof listed>) =>
      list.map((htlc) => [Number(htlc.amountMsat) / 1e6, htlc.offered, htlc.source !== undefined]);
    assert.deepEqual(view(listed("holder", "latestHolderCommitment")), [
      [39, true, true],
      [40, false, false],
      [41, false, false],
    ]);
    assert.deepEqual(view(listed("holder", "latestCounterpartyCommitment")), [
      [40, true, false],
      [41, true, false],
      [39, false, true],
    ]);
    assert.deepEqual(view(listed("counterparty", "latestHolderCommitment")), [
      [40, true, true],
      [41, true, true],
      [39, false, false],
    ]);
  });

  it("sends nothing before the monitor has the update", async () => {
    const waiting: (() => void)[] = [];
    const onUpdate = () => new Promise<void>((resolve) => waiting.push(resolve));
    const { channel } = recordedChannel({ onUpdate });
    offer(channel, "holder", 50_000, "a");
    const signing = channel.signCommitment("holder");
    assert.equal(channel.onItsWayTo("counterparty"), undefined);
    must(waiting.shift(), "the update")();
    await signing;
    assert.equal(channel.onItsWayTo("counterparty")?.kind, "commitmentSigned");
    offer(channel, "counterparty", 20_000, "b");
    await channel.signCommitment("counterparty");
    const receiving = channel.receiveCommitment("holder");
    const revoking = channel.revoke("holder");
    assert.equal(channel.onItsWayTo("counterparty")?.kind, "commitmentSigned");
    await channel.receiveCommitment("counterparty");
    assert.equal(channel.onItsWayTo("counterparty"), undefined, "no revocation yet");
    must(waiting.shift(), "the holder commitment")();
    await Promise.all([receiving, revoking]);
    assert.equal(channel.onItsWayTo("counterparty")?.kind, "revokeAndAck");
  });

  it("stops when the monitor refuses", async () => {
    const refusal = new Error("refused by the monitor");
    const { channel } = recordedChannel({ onUpdate: () => Promise.reject(refusal) });
    offer(channel, "holder", 50_000, "a");
    await assert.rejects(channel.signCommitment("holder"), refusal);
    assert.equal(channel.onItsWayTo("counterparty"), undefined);
    await assert.rejects(channel.learnPreimage("holder", secretNamed("a").preimage), refusal);
  });

  it("changes the feerate from the next commitment on and trims by it", async () => {
    const { channel } = recordedChannel();
    offer(channel, "holder", 1_000, "small");
    await channel.settle();
    assert.equal(channel.commitment("holder").htlcs[0]?.outputIndex === undefined, false);
    channel.updateFee("holder", feeratePerKw(1_000));
    await channel.settle();
    for (const side of ["holder", "counterparty"] as const) {
      const { state, htlcs } = channel.commitment(side);
      assert.equal(state.feeratePerKw, 1_000);
      assert.equal(htlcs[0]?.outputIndex, undefined, side);
    }
  });

  it("tells shutdown and force-close, and takes no further part afterwards", async () => {
    const { channel, told } = recordedChannel();
    const htlc = offer(channel, "counterparty", 50_000, "in");
    await channel.settle();
    const before = told.length;
    await channel.shutdown("holder", Uint8Array.of(0, 20));
    await channel.forceClose("holder", false, "why");
    await channel.learnPreimage("holder", secretNamed("in").preimage);
    assert.deepEqual(kinds(told).slice(before), [
      "shutdownScript",
      "channelForceClosed",
      "paymentPreimage",
    ]);
    await assert.rejects(channel.signCommitment("holder"), refused("closed"));
    assert.throws(() => channel.failHtlc(htlc), refused("closed"));
    assert.throws(() => offer(channel, "holder", 10_000, "x"), refused("closed"));
  });
});

describe("channel engine: refusals change nothing", () => {
  it("keeps the order of messages and one un-revoked commitment per side", async () => {
    const { channel } = recordedChannel();
    await assert.rejects(channel.signCommitment("holder"), refused("nothingToSign"));
    await assert.rejects(channel.receiveNext("holder"), refused("nothingToReceive"));
    await assert.rejects(channel.revoke("holder"), refused("nothingToRevoke"));
    offer(channel, "holder", 50_000, "a");
    await channel.signCommitment("holder");
    await assert.rejects(channel.receiveRevocation("counterparty"), refused("outOfOrder"));
    offer(channel, "holder", 50_000, "b");
    await assert.rejects(channel.signCommitment("holder"), refused("awaitingRevocation"));
    await channel.receiveCommitment("counterparty");
    await channel.revoke("counterparty");
    await assert.rejects(channel.receiveCommitment("holder"), refused("outOfOrder"));
    await channel.receiveRevocation("holder");
    await channel.signCommitment("holder");
    await channel.settle();
    assert.equal(channel.liveHtlcs().length, 2);
  });

  it("removes an HTLC once, by its preimage, and only a known one", async () => {
    const { channel } = recordedChannel();
    const htlc = offer(channel, "holder", 50_000, "a");
    await channel.settle();
    const wrong = preimage(new Uint8Array(32));
    await assert.rejects(channel.fulfillHtlc(htlc, wrong), refused("wrongPreimage"));
    channel.failHtlc(htlc);
    const right = secretNamed("a").preimage;
    assert.throws(() => channel.fulfillKnownHtlc(htlc, right), refused("alreadyRemoved"));
    const unknown = { offeredBy: "counterparty", id: htlc.id } as const;
    assert.throws(() => channel.failHtlc(unknown), refused("unknownHtlc"));
  });

  it("forgets what no commitment includes, and only that", async () => {
    const { channel } = recordedChannel();
    const kept = offer(channel, "holder", 50_000, "kept");
    await channel.settle();
    channel.failHtlc(kept);
    const lost = offer(channel, "counterparty", 40_000, "lost");
    channel.forgetProposals("counterparty");
    assert.deepEqual(channel.liveHtlcs(), [kept]);
    assert.equal(channel.canSign("counterparty"), false);
    assert.equal(offer(channel, "counterparty", 41_000, "next").id, lost.id);
    channel.failHtlc(kept);
    await channel.signCommitment("counterparty");
    channel.forgetProposals("counterparty");
    await channel.settle();
    assert.deepEqual(
      channel.liveHtlcs().map(({ amountMsat }) => amountMsat),
      [41_000_000n],
    );
  });

  it("keeps the reserve of who offers and the opener's fee, to the millisatoshi", async () => {
    const { channel } = recordedChannel();
    const { setup } = channel;
    const { paymentHash } = secretNamed("a");
    const cltvExpiry = must(recordedCltv(), "expiry");
    const add = (amount: bigint) =>
      channel.addHtlc("holder", { amountMsat: msat(amount), paymentHash, cltvExpiry });
    const cost = openerCostSat(setup, setup.initialFeeratePerKw, 1);
    const most = 600_000_000n - (setup.sides.holder.reserveSat + cost) * 1000n;
    assert.throws(() => add(most + 1n), refused("insufficientFunds"));
    assert.throws(() => add(0n), refused("badAmount"));
    assert.equal(add(most).id, 0n);
    assert.throws(() => offer(channel, "counterparty", 395_000, "b"), refused("insufficientFunds"));
    const higher = feeratePerKw(setup.initialFeeratePerKw + 10);
    assert.throws(() => channel.updateFee("holder", higher), refused("insufficientFunds"));
    assert.throws(() => channel.updateFee("counterparty", higher), refused("notOpener"));
    await channel.settle();
    assert.equal(channel.commitment("holder").state.balanceMsat.holder, 600_000_000n - most);
  });

  for (const [channelType, most] of [
    ["anchors_zero_fee_htlc", 483],
    ["zero_fee_commitments", 114],
  ] as const) {
    it(`carries ${most} HTLCs of a side on ${channelType} and refuses the next`, () => {
      const { channel } = recordedChannel({ channelType, capacitySat: sat(10_000_000) });
      for (let i = 0; i < most; i++) offer(channel, "holder", 1_000, `${i}`);
      assert.throws(() => offer(channel, "holder", 1_000, "x"), refused("tooManyHtlcs"));
    });
  }

  it("pays no fee on zero_fee_commitments and has no update_fee there", async () => {
    const { channel } = recordedChannel({ channelType: "zero_fee_commitments" });
    offer(channel, "holder", 353, "dust");
    offer(channel, "holder", 354, "kept");
    assert.throws(() => channel.updateFee("holder", feeratePerKw(253)), refused("feerateIsZero"));
    await channel.settle();
    const { built } = channel.commitment("holder");
    assert.equal(built.feeSat, 353n - 240n, "trimmed above what the anchor holds");
    assert.equal(built.tx.outs.length, 4);
  });

  it("does not open a channel whose opener cannot pay the first commitment", () => {
    const capacitySat = sat(200_000);
    const open = (left: bigint) =>
      recordedChannel({ capacitySat, pushMsat: msat(200_000_000n - left * 1000n) });
    const cost = openerCostSat(open(100_000n).channel.setup, feeratePerKw(253), 0);
    assert.ok(open(cost));
    assert.throws(() => open(cost - 1n), refused("insufficientFunds"));
  });
});

const recordedCltv = () => offer(recordedChannel().channel, "holder", 1_000, "x").cltvExpiry;
