/**
 * Values of the counterparty's commitment out of ours: with other HTLCs, a fee update on its way, dust on one
 * side, both ways the fee may be paid. What fits nothing is given up within bounds.
 */
import assert from "node:assert/strict";
import { feeratePerKw, msat, sat, type Sat } from "../../amount.js";
import { blockDelta, blockHeight } from "../../block.js";
import { commitmentFeeSat } from "../../bolt/weights.js";
import { ANCHOR_SAT } from "../../bolt/channel-type.js";
import type {
  ChannelParameters,
  ChannelType,
  CommitmentHtlc,
  HolderCommitment,
} from "../../channel.js";
import { nobleCurve as curve } from "../../curve/noble-curve.js";
import {
  channelId,
  commitmentNumber,
  hashOfPreimage,
  htlcId,
  preimage,
  sourceKey,
  txid,
} from "../../ids.js";
import {
  findValues,
  MAX_CANDIDATES,
  txidsOf,
  type Unvalued,
  type ValueBasis,
} from "./counterparty-values.js";

const point = (byte: number): Uint8Array => curve.publicKey(new Uint8Array(32).fill(byte));
const pubkeys = (byte: number) => ({
  fundingPubkey: point(byte),
  revocationBasepoint: point(byte + 1),
  paymentPoint: point(byte + 2),
  delayedPaymentBasepoint: point(byte + 3),
  htlcBasepoint: point(byte + 4),
});
const CHANNEL_SAT = 1_000_000n;
const FEERATE = 2_500;

const parametersOf = (channelType: ChannelType, holderIsOpener: boolean): ChannelParameters => ({
  channelId: channelId("aa".repeat(32)),
  chainHash: "bb".repeat(32),
  channelType,
  channelTypeModifiers: [],
  funding: { txid: txid("cc".repeat(32)), vout: 1 },
  channelValueSat: sat(CHANNEL_SAT),
  holderIsOpener,
  holderPubkeys: pubkeys(1),
  counterpartyPubkeys: pubkeys(11),
  holderSelectedContestDelay: blockDelta(144),
  counterpartySelectedContestDelay: blockDelta(288),
  channelKeysId: new Uint8Array(32),
  destinationScript: Uint8Array.of(0x51),
  counterpartyNodeId: undefined,
  userChannelId: undefined,
  constantsProfile: "ldk_0_2",
  shutdownScript: undefined,
  spliceParentFundingTxid: undefined,
});

const secretOf = (byte: number) => preimage(new Uint8Array(32).fill(byte));

/** An HTLC as both sides' commitments list it, but for `offered`. */
const htlc = (byte: number, amountMsat: number, isSent: boolean): CommitmentHtlc => ({
  htlcId: htlcId(byte),
  offered: isSent,
  amountMsat: msat(amountMsat),
  cltvExpiry: blockHeight(700 + byte),
  paymentHash: hashOfPreimage(secretOf(byte)),
  outputIndex: 0,
  source: isSent
    ? {
        sourceKey: sourceKey(byte.toString(16).padStart(2, "0").repeat(32)),
        origin: { kind: "trampoline", inbound: [] },
        opaque: new Uint8Array(0),
      }
    : undefined,
});

interface Case {
  readonly channelType: ChannelType;
  readonly holderIsOpener: boolean;
  /** Ours, in msat, with these HTLCs. */
  readonly here: { readonly oursMsat: bigint; readonly htlcs: readonly CommitmentHtlc[] };
  readonly there: {
    readonly oursMsat: bigint;
    readonly htlcs: readonly CommitmentHtlc[];
    readonly feerate?: number;
    readonly dustSat?: bigint;
  };
  readonly known?: readonly number[];
  readonly fulfilled?: readonly number[];
}

const sum = (htlcs: readonly CommitmentHtlc[]): bigint =>
  htlcs.reduce((total, { amountMsat }) => total + amountMsat, 0n);

/** Outputs as whoever builds the commitment has them. */
function outputs(
  { channelType, holderIsOpener }: Case,
  { oursMsat, htlcs }: Case["here"],
  feerate: number,
  dustSat: bigint,
): { readonly ours: Sat; readonly theirs: Sat } {
  const fee = commitmentFeeSat(channelType, feeratePerKw(feerate), htlcs.length);
  const cost = fee + (channelType === "anchors_zero_fee_htlc" ? 2n * ANCHOR_SAT : 0n);
  const theirsMsat = CHANNEL_SAT * 1000n - sum(htlcs) - oursMsat;
  const output = (value: bigint): Sat => sat(value < dustSat ? 0n : value);
  return {
    ours: output(oursMsat / 1000n - (holderIsOpener ? cost : 0n)),
    theirs: output(theirsMsat / 1000n - (holderIsOpener ? 0n : cost)),
  };
}

function problem(of: Case): {
  readonly basis: ValueBasis;
  readonly wanted: Unvalued;
  readonly values: unknown;
} {
  const { channelType, holderIsOpener, here, there, known = [], fulfilled = [] } = of;
  const parameters = parametersOf(channelType, holderIsOpener);
  const feerate = channelType === "zero_fee_commitments" ? 0 : FEERATE;
  const own = outputs(of, here, feerate, 354n);
  const holder: HolderCommitment = {
    commitmentNumber: commitmentNumber(7),
    perCommitmentPoint: point(30),
    feeratePerKw: feeratePerKw(feerate),
    toLocalSat: own.ours,
    toRemoteSat: own.theirs,
    htlcs: here.htlcs,
    counterpartySignature: new Uint8Array(64),
    counterpartyHtlcSignatures: [],
    txid: txid("dd".repeat(32)),
  };
  const basis = {
    curve,
    parameters,
    holderPaysFee: holderIsOpener,
    holders: [holder],
    preimages: new Set(known.map((byte) => hashOfPreimage(secretOf(byte)))),
    fulfilled: new Set(
      fulfilled.map((byte) => sourceKey(byte.toString(16).padStart(2, "0").repeat(32))),
    ),
  };
  const rate = there.feerate ?? feerate;
  const { ours, theirs } = outputs(of, there, rate, there.dustSat ?? 354n);
  const unnamed = {
    commitmentNumber: commitmentNumber(8),
    perCommitmentPoint: point(31),
    htlcs: there.htlcs.map((each) => ({ ...each, offered: !each.offered })),
    txid: txid("ee".repeat(32)),
  };
  const wanted = { ...unnamed, txid: txidsOf(basis, unnamed).of(theirs, ours) };
  return {
    basis,
    wanted,
    values: { feeratePerKw: rate, toBroadcasterSat: theirs, toCountersignatorySat: ours },
  };
}

const found = (of: Case): void => {
  const { basis, wanted, values } = problem(of);
  assert.deepEqual(findValues(basis, wanted), { ...wanted, ...Object(values) });
};

const SENT = htlc(1, 50_000_123, true);
const RECEIVED = htlc(2, 70_000_999, false);
const quiet = { oursMsat: 400_000_777n, htlcs: [SENT, RECEIVED] };

for (const channelType of [
  "static_remote_key",
  "anchors_zero_fee_htlc",
  "zero_fee_commitments",
] as const) {
  for (const holderIsOpener of [true, false]) {
    const base = { channelType, holderIsOpener };
    describe(`values of the counterparty's commitment: ${channelType}, opened by ${holderIsOpener ? "us" : "them"}`, () => {
      it("are those of ours when the HTLCs are the same", () => {
        found({ ...base, here: quiet, there: quiet });
      });

      it("hold the amount of an HTLC that ours does not have yet", () => {
        const { oursMsat } = quiet;
        const more = htlc(3, 20_000_001, true);
        found({
          ...base,
          here: quiet,
          there: { oursMsat: oursMsat - more.amountMsat, htlcs: [...quiet.htlcs, more] },
        });
      });

      it("hold what was fulfilled where it went", () => {
        const { oursMsat } = quiet;
        // We fulfilled one; their commitment has it no more.
        const claimed = { oursMsat: oursMsat + RECEIVED.amountMsat, htlcs: [SENT] };
        found({ ...base, here: quiet, there: claimed, known: [2] });
        // They fulfilled one; ours has it no more.
        const here = { oursMsat, htlcs: [RECEIVED] };
        found({ ...base, here, there: quiet, fulfilled: [1] });
        // They failed it: it came back to us.
        const failed = { oursMsat: oursMsat + SENT.amountMsat, htlcs: [RECEIVED] };
        found({ ...base, here: failed, there: quiet });
      });

      it("are found when an HTLC went another way than its preimage says", () => {
        const { oursMsat } = quiet;
        const theirs = { oursMsat: oursMsat + RECEIVED.amountMsat, htlcs: [SENT] };
        found({ ...base, here: quiet, there: theirs });
        const failed = { oursMsat, htlcs: [SENT] };
        found({ ...base, here: quiet, there: failed, known: [2] });
      });

      it("leave out an output that is dust to them", () => {
        const here = { oursMsat: CHANNEL_SAT * 1000n - 450_000n, htlcs: [] };
        if (holderIsOpener) found({ ...base, here, there: { ...here, dustSat: 546n } });
        const small = { oursMsat: 450_000n, htlcs: [] };
        if (!holderIsOpener) found({ ...base, here: small, there: { ...small, dustSat: 546n } });
      });
    });
  }
}

describe("values of the counterparty's commitment", () => {
  it("show a fee update that ours does not have yet", () => {
    for (const channelType of ["static_remote_key", "anchors_zero_fee_htlc"] as const) {
      for (const feerate of [FEERATE + 1_300, FEERATE - 1_300]) {
        const there = { ...quiet, feerate };
        const { basis, wanted, values } = problem({
          channelType,
          holderIsOpener: true,
          here: quiet,
          there,
        });
        assert.deepEqual(findValues(basis, wanted), { ...wanted, ...Object(values) });
      }
    }
  });

  it("are given up within bounds when nothing fits", function () {
    this.timeout(20_000);
    const { basis, wanted } = problem({
      channelType: "static_remote_key",
      holderIsOpener: true,
      here: quiet,
      there: quiet,
    });
    const other = { ...wanted, txid: txid("ff".repeat(32)) };
    assert.equal(findValues(basis, other), undefined);
    assert.equal(MAX_CANDIDATES, 100_000);
  });

  it("are not looked for without end in amounts that cannot be", () => {
    const { basis, wanted } = problem({
      channelType: "static_remote_key",
      holderIsOpener: true,
      here: quiet,
      there: quiet,
    });
    const [holder] = basis.holders;
    assert.ok(holder !== undefined);
    const absurd = { ...holder, feeratePerKw: feeratePerKw(0xffffffff), toLocalSat: sat(0) };
    const other = { ...wanted, txid: txid("ff".repeat(32)) };
    assert.equal(findValues({ ...basis, holders: [absurd] }, other), undefined);
  });
});
