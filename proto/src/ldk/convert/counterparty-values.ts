/**
 * LDK's monitor keeps of the counterparty's commitment the HTLCs and the txid, but neither balances nor
 * feerate. Both are worked out from our own commitment: what the sides own there, moved by the HTLCs in
 * which the two differ. The txid tells which candidate is right, so a wrong guess costs only time.
 */
import { feeratePerKw as toFeerate, sat, type FeeratePerKw, type Sat } from "../../amount.js";
import { ANCHOR_SAT, channelTypeRules } from "../../bolt/channel-type.js";
import { obscureFactor } from "../../bolt/commitment-number.js";
import { CommitmentTxids } from "../../bolt/commitment-txid.js";
import { commitmentKeys } from "../../bolt/keys.js";
import { commitmentFeeSat } from "../../bolt/weights.js";
import type {
  ChannelParameters,
  CommitmentHtlc,
  CounterpartyCommitment,
  HolderCommitment,
} from "../../channel.js";
import type { Curve } from "../../curve/curve.js";
import type { PaymentHash, SourceKey } from "../../ids.js";

/** Candidates looked at before giving up: about two seconds when every one is hashed and has no HTLC. */
export const MAX_CANDIDATES = 100_000;
/** So many HTLCs make hashing a candidate twice as long, and half as many are looked at. */
const HTLCS_PER_CANDIDATE = 16;
/** LDK accepts no dust limit of a counterparty above it (`MAX_CHAN_DUST_LIMIT_SATOSHIS`). */
const MAX_DUST_SAT = 546n;
/** LDK and BOLT 2 give a feerate 32 bits. */
const MAX_FEERATE = 0xffffffff;
/** So many HTLCs may have gone another way than what is known of preimages says. */
const MAX_SURPRISES = 2;

export type Unvalued = Omit<
  CounterpartyCommitment,
  "feeratePerKw" | "toBroadcasterSat" | "toCountersignatorySat"
>;

export interface ValueBasis {
  readonly curve: Curve;
  readonly parameters: ChannelParameters;
  readonly holderPaysFee: boolean;
  /** Ours, the most alike first. */
  readonly holders: readonly HolderCommitment[];
  /** Known preimages of HTLCs to us, and outbound ones that were fulfilled. */
  readonly preimages: ReadonlySet<PaymentHash>;
  readonly fulfilled: ReadonlySet<SourceKey>;
}

/** undefined: no candidate has the txid. */
export function findValues(
  basis: ValueBasis,
  wanted: Unvalued,
): CounterpartyCommitment | undefined {
  const txids = txidsOf(basis, wanted);
  const seen = new Set<string>();
  const most = MAX_CANDIDATES / (1 + wanted.htlcs.length / HTLCS_PER_CANDIDATE);
  for (const values of atMost(candidates(basis, wanted.htlcs), most)) {
    const key = `${values.toBroadcasterSat} ${values.toCountersignatorySat}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (txids.of(values.toBroadcasterSat, values.toCountersignatorySat) === wanted.txid) {
      return { ...wanted, ...values };
    }
  }
  return undefined;
}

/** The commitment's txid by the values of its two main outputs. */
export function txidsOf(
  { curve, parameters }: Pick<ValueBasis, "curve" | "parameters">,
  wanted: Omit<Unvalued, "txid">,
): CommitmentTxids {
  const { holderPubkeys: ours, counterpartyPubkeys: theirs } = parameters;
  const identity = {
    channelType: parameters.channelType,
    fundingOutpoint: parameters.funding,
    fundingValueSat: parameters.channelValueSat,
    commitmentNumber: wanted.commitmentNumber,
    obscureFactor: parameters.holderIsOpener
      ? obscureFactor(ours.paymentPoint, theirs.paymentPoint)
      : obscureFactor(theirs.paymentPoint, ours.paymentPoint),
    keys: commitmentKeys(curve, theirs, ours, wanted.perCommitmentPoint),
    broadcasterFundingPubkey: theirs.fundingPubkey,
    countersignatoryFundingPubkey: ours.fundingPubkey,
    contestDelay: parameters.holderSelectedContestDelay,
  };
  return new CommitmentTxids(identity, wanted.htlcs);
}

interface Values {
  readonly feeratePerKw: FeeratePerKw;
  readonly toBroadcasterSat: Sat;
  readonly toCountersignatorySat: Sat;
}

/** Before fee and anchors, in whole satoshis. */
interface Owned {
  readonly oursSat: bigint;
  readonly theirsSat: bigint;
}

/** The feerates of our own commitments come first; a fee update on its way may be any other. */
function* candidates(
  basis: ValueBasis,
  htlcs: readonly CommitmentHtlc[],
): Generator<Values, undefined> {
  const likely = [...new Set(basis.holders.map(({ feeratePerKw }) => feeratePerKw))];
  for (const feerate of likely) {
    yield* atFeerate(basis, htlcs, feerate, ownedBy(basis, htlcs, MAX_SURPRISES));
  }
  const [start] = likely;
  if (start === undefined || !channelTypeRules(basis.parameters.channelType).commitmentPaysFee) {
    return;
  }
  // What the sides own is the same at every feerate; where nothing fits, no feerate makes it fit.
  const owned = [...atMost(ownedBy(basis, htlcs, 0), MAX_CANDIDATES)];
  if (owned.length === 0) return;
  for (let distance = 1; distance <= MAX_CANDIDATES; distance++) {
    for (const rate of [start + distance, start - distance]) {
      if (rate > 0 && rate <= MAX_FEERATE) yield* atFeerate(basis, htlcs, toFeerate(rate), owned);
    }
  }
}

function* ownedBy(
  basis: ValueBasis,
  htlcs: readonly CommitmentHtlc[],
  surprises: number,
): Generator<Owned, undefined> {
  for (const holder of basis.holders) yield* balances(basis, holder, htlcs, surprises);
}

function* atMost<T>(items: Iterable<T>, count: number): Generator<T, undefined> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}

function* atFeerate(
  basis: ValueBasis,
  htlcs: readonly CommitmentHtlc[],
  feerate: FeeratePerKw,
  owned: Iterable<Owned>,
): Generator<Values, undefined> {
  const cost = openerCost(basis.parameters, feerate, htlcs);
  for (const { oursSat, theirsSat } of owned) {
    const theirs = theirsSat - (basis.holderPaysFee ? 0n : cost);
    const ours = oursSat - (basis.holderPaysFee ? cost : 0n);
    for (const toBroadcasterSat of outputValues(theirs)) {
      for (const toCountersignatorySat of outputValues(ours)) {
        yield { feeratePerKw: feerate, toBroadcasterSat, toCountersignatorySat };
      }
    }
  }
}

/** Dust has no output; what a side's dust limit is, nobody told the monitor. */
function outputValues(value: bigint): readonly Sat[] {
  if (value <= 0n) return [sat(0)];
  return value < MAX_DUST_SAT ? [sat(value), sat(0)] : [sat(value)];
}

/** Fee and keyed anchors: what whoever opened the channel pays (BOLT 3, "Fee Payment"). */
function openerCost(
  { channelType }: ChannelParameters,
  feerate: FeeratePerKw,
  htlcs: readonly CommitmentHtlc[],
): bigint {
  const outputs = htlcs.filter(({ outputIndex }) => outputIndex !== undefined).length;
  const anchors = channelTypeRules(channelType).anchors === "keyed" ? 2n * ANCHOR_SAT : 0n;
  return commitmentFeeSat(channelType, feerate, outputs) + anchors;
}

interface Range {
  readonly low: bigint;
  readonly high: bigint;
}

/** What a side owns in msat, from its output: a fraction of a satoshi never shows, dust neither. */
const ownedBehind = (outputSat: Sat, cost: bigint): Range =>
  outputSat > 0n
    ? { low: (outputSat + cost) * 1000n, high: (outputSat + cost) * 1000n + 999n }
    : { low: 0n, high: (cost + MAX_DUST_SAT) * 1000n };

const sumOf = (htlcs: readonly CommitmentHtlc[]): bigint =>
  htlcs.reduce((sum, { amountMsat }) => sum + amountMsat, 0n);

/** What both own in a commitment with these HTLCs, before fee and anchors, in whole satoshis. */
function* balances(
  basis: ValueBasis,
  holder: HolderCommitment,
  htlcs: readonly CommitmentHtlc[],
  surprises: number,
): Generator<Owned, undefined> {
  const { parameters, holderPaysFee } = basis;
  const channelMsat = parameters.channelValueSat * 1000n;
  const cost = openerCost(parameters, holder.feeratePerKw, holder.htlcs);
  const ours = ownedBehind(holder.toLocalSat, holderPaysFee ? cost : 0n);
  const theirs = ownedBehind(holder.toRemoteSat, holderPaysFee ? 0n : cost);
  const both = channelMsat - sumOf(holder.htlcs);
  const low = ours.low > both - theirs.high ? ours.low : both - theirs.high;
  const high = ours.high < both - theirs.low ? ours.high : both - theirs.low;
  const bothThere = channelMsat - sumOf(htlcs);
  for (const moved of movements(basis, holder.htlcs, htlcs, surprises)) {
    const least = low + moved > 0n ? low + moved : 0n;
    const most = high + moved < bothThere ? high + moved : bothThere;
    yield* wholeSatoshis({ low: least, high: most }, bothThere);
  }
}

function* wholeSatoshis({ low, high }: Range, both: bigint): Generator<Owned, undefined> {
  for (let oursSat = low / 1000n; oursSat * 1000n <= high; oursSat++) {
    const least = oursSat * 1000n > low ? oursSat * 1000n : low;
    const most = oursSat * 1000n + 999n < high ? oursSat * 1000n + 999n : high;
    const theirs = [(both - most) / 1000n, (both - least) / 1000n];
    for (const theirsSat of new Set(theirs)) yield { oursSat, theirsSat };
  }
}

/**
 * What we own more there than here, in msat, the likeliest first. An HTLC that only one of the two
 * commitments has was just added, or its end is known to one already: its amount is the receiver's when it
 * was fulfilled, and else the sender's.
 */
function* movements(
  { preimages, fulfilled }: ValueBasis,
  here: readonly CommitmentHtlc[],
  there: readonly CommitmentHtlc[],
  surprises: number,
): Generator<bigint, undefined> {
  const changes = [
    ...without(here, there).map((htlc) => ({ htlc, freed: htlc.amountMsat })),
    ...without(there, here).map((htlc) => ({ htlc, freed: -htlc.amountMsat })),
  ].map(({ htlc, freed }) => {
    const isOurs =
      htlc.source === undefined
        ? preimages.has(htlc.paymentHash)
        : !fulfilled.has(htlc.source.sourceKey);
    return { expected: isOurs ? freed : 0n, surprise: isOurs ? -freed : freed };
  });
  const expected = changes.reduce((sum, change) => sum + change.expected, 0n);
  const flips = changes.map(({ surprise }) => surprise);
  yield expected;
  if (surprises > 0) for (const flip of flips) yield expected + flip;
  if (surprises > 1) {
    for (const [index, first] of flips.entries()) {
      for (const second of flips.slice(index + 1)) yield expected + first + second;
    }
  }
}

/** Ids are the same in both sides' commitments (commitment.ts). */
function without(
  htlcs: readonly CommitmentHtlc[],
  others: readonly CommitmentHtlc[],
): readonly CommitmentHtlc[] {
  const known = new Set(others.map(({ htlcId }) => htlcId));
  return htlcs.filter(({ htlcId }) => !known.has(htlcId));
}
