/**
 * How much fee a claim pays, first and when it is replaced (onchain-engine 9.4; BIP 125). Neither an
 * estimate nor a deadline takes more than half of the value; forced bumps may go on until only dust
 * is left. Nothing goes above the highest feerate the operator allows. undefined means: not worth a
 * (new) transaction; the one already sent stays.
 */
import type { FeeratePerKw, Sat } from "@farwatch/protocol/amount";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { feeForWeight } from "@farwatch/protocol/bolt/weights";

/** Lowest feerate bitcoind relays by default (1 sat/vB), rounded up. A lower one is not relayed. */
export const FEERATE_FLOOR: FeeratePerKw = feeratePerKw(253);
/** BIP 125 rule 4: a replacement pays this much more per 1000 WU of its own. */
export const INCREMENTAL_RELAY_FEERATE: FeeratePerKw = feeratePerKw(253);
/**
 * An estimate takes at most 1/2 of what is claimed: beyond that a fee spike costs more than
 * waiting.
 */
const MAX_ESTIMATED_SHARE = 2n;
/** A forced bump adds 1/4 to the previous feerate. */
const BUMP_DIVISOR = 4;
/**
 * A transaction offered when the tip is 2 blocks below a deadline can confirm in the last block before
 * it: by then the fee is at its highest. Halved for every block farther away.
 */
export const HIGHEST_BEFORE_DEADLINE = 2;
/** What the unit can hold: never a limit in practice. */
const HIGHEST_FEERATE = 0xffffffff;

// bitcoind's dust limits at its default dust relay fee (BOLT 3, "Dust Limits").
const DUST_P2PKH = sat(546);
const DUST_P2SH = sat(540);
const DUST_P2WPKH = sat(294);
const DUST_P2WSH = sat(330);
const DUST_UNKNOWN_SEGWIT = sat(354);
const P2SH_LENGTH = 23;
const P2WPKH_LENGTH = 22;
const P2WSH_LENGTH = 34;

export interface FeeQuestion {
  readonly estimate: FeeratePerKw;
  /** Of the signed transaction, in weight units. */
  readonly weight: number;
  /** Sum of the inputs. */
  readonly valueSat: Sat;
  /** Of the only output. */
  readonly dustLimitSat: Sat;
  /** No choice is above it, except one that was made before; undefined: no limit. */
  readonly highest?: FeeratePerKw | undefined;
}

export interface FeeChoice {
  readonly feeSat: Sat;
  readonly feeratePerKw: FeeratePerKw;
}

/**
 * "force": higher than before, by a quarter if the estimate is not; "highest": the estimate if it
 * is higher than before; "retry": as before.
 */
export type BumpStrategy = "force" | "highest" | "retry";

/** Dust limit of an output script; the highest one for scripts of no known form. */
export function dustLimitSat(scriptPubkey: Uint8Array): Sat {
  const [version, pushLength] = scriptPubkey;
  const isSegwit = pushLength === scriptPubkey.length - 2 && scriptPubkey.length >= 4;
  const isOpNumber = version === 0 || (version !== undefined && version >= 0x51 && version <= 0x60);
  if (isSegwit && isOpNumber) {
    if (version === 0 && scriptPubkey.length === P2WPKH_LENGTH) return DUST_P2WPKH;
    return scriptPubkey.length === P2WSH_LENGTH ? DUST_P2WSH : DUST_UNKNOWN_SEGWIT;
  }
  return scriptPubkey.length === P2SH_LENGTH ? DUST_P2SH : DUST_P2PKH;
}

/** Fee of a claim not sent before. */
export function chooseFirstFee(question: FeeQuestion): FeeChoice | undefined {
  const { estimate, weight } = question;
  const wanted = Math.max(estimate, FEERATE_FLOOR);
  const rate = feeratePerKw(Math.min(wanted, limitOfEstimates(question)));
  return rate < FEERATE_FLOOR ? undefined : aboveDust(question, feeForWeight(rate, weight), rate);
}

/** Half of the value, or the operator's limit. */
function limitOfEstimates({ weight, valueSat, highest }: FeeQuestion): number {
  const halfRate = ((valueSat / MAX_ESTIMATED_SHARE) * 1000n) / BigInt(weight);
  return Math.min(Number(halfRate), highest ?? HIGHEST_FEERATE, HIGHEST_FEERATE);
}

/**
 * The least a claim pays that has been out for a block and is still unconfirmed `blocksLeft` blocks
 * before its deadline: what an estimate may pay at most, HIGHEST_BEFORE_DEADLINE blocks before, and
 * half of it for each block more.
 */
export function deadlineFeerate(question: FeeQuestion, blocksLeft: number): FeeratePerKw {
  const halvings = Math.max(0, blocksLeft - HIGHEST_BEFORE_DEADLINE);
  return feeratePerKw(Math.floor(limitOfEstimates(question) / 2 ** halvings));
}

/** What `feerate` costs at `weight`. */
export const feeAtFeerate = (feerate: FeeratePerKw, weight: number): FeeChoice => ({
  feeSat: feeForWeight(feerate, weight),
  feeratePerKw: feerate,
});

/** Fee of a replacement of transactions that pay `standingSat` together (BIP 125 rules 3 and 4). */
const replacing = (standingSat: Sat, weight: number): Sat =>
  standingSat === 0n ? sat(0) : sat(standingSat + feeForWeight(INCREMENTAL_RELAY_FEERATE, weight));

/**
 * First fee of a claim whose inputs were claimed before in another composition: at no lower feerate
 * than then, unless the inputs left cannot pay that (then they pay half of their value), and enough to
 * replace what `standingSat` was paid for (0: nothing of ours stands in its way).
 */
export function carriedFee(
  question: FeeQuestion,
  carried: FeeratePerKw,
  standingSat: Sat,
): FeeChoice | undefined {
  const { weight, valueSat, dustLimitSat: dust } = question;
  const first = chooseFirstFee(question);
  const rate = feeratePerKw(Math.max(first?.feeratePerKw ?? 0, carried));
  const atRate = feeAtFeerate(rate, weight);
  const least = replacing(standingSat, weight);
  const most = valueSat - dust;
  if (atRate.feeSat >= least && atRate.feeSat <= most) return atRate;
  if (least === 0n) return chooseFirstFee({ ...question, estimate: rate });
  if (least > most) return undefined;
  const feeSat = atRate.feeSat > most ? sat(most) : least;
  return { feeSat, feeratePerKw: feerateOf(feeSat, weight) };
}

/**
 * Fee of the next version of a claim sent before with the same inputs, at `least` per 1000 WU.
 * `previous` again means: send the same transaction again.
 */
export function bumpFee(
  question: FeeQuestion,
  previous: FeeChoice,
  strategy: BumpStrategy,
  least: FeeratePerKw = FEERATE_FLOOR,
): FeeChoice | undefined {
  const { weight, valueSat, dustLimitSat: dust } = question;
  if (strategy === "retry") return valueSat - previous.feeSat < dust ? undefined : previous;
  const fresh = chooseFirstFee(question);
  if (fresh === undefined) return undefined;
  const wanted = Math.max(nextFeerate(fresh.feeratePerKw, previous.feeratePerKw, strategy), least);
  if (wanted <= previous.feeratePerKw) return bumpFee(question, previous, "retry");
  const lowest = replacing(previous.feeSat, weight);
  const most = highestFee(question);
  if (lowest > most) return undefined;
  const naive = feeAtFeerate(feeratePerKw(wanted), weight);
  if (naive.feeSat >= lowest && naive.feeSat <= most) return naive;
  const feeSat = sat(naive.feeSat < lowest ? lowest : most);
  return { feeSat, feeratePerKw: feerateOf(feeSat, weight) };
}

/** Leaves only dust, or keeps the operator's limit. */
function highestFee({ weight, valueSat, dustLimitSat: dust, highest }: FeeQuestion): bigint {
  const most = valueSat - dust;
  const limit = highest === undefined ? most : feeForWeight(highest, weight);
  return limit < most ? limit : most;
}

function nextFeerate(
  fresh: FeeratePerKw,
  previous: FeeratePerKw,
  strategy: "force" | "highest",
): FeeratePerKw {
  if (fresh > previous) return fresh;
  return strategy === "highest"
    ? previous
    : feeratePerKw(previous + Math.floor(previous / BUMP_DIVISOR));
}

/** Lowers a first fee so that the output is not dust; undefined when it would not be relayed. */
function aboveDust(question: FeeQuestion, wanted: Sat, rate: FeeratePerKw): FeeChoice | undefined {
  const { weight, valueSat, dustLimitSat: dust } = question;
  if (valueSat - wanted >= dust) return { feeSat: wanted, feeratePerKw: rate };
  if (valueSat - dust < feeForWeight(FEERATE_FLOOR, weight)) return undefined;
  const feeSat = sat(valueSat - dust);
  return { feeSat, feeratePerKw: feerateOf(feeSat, weight) };
}

/** Never below the floor: a fee of the floor itself may round to one less. */
const feerateOf = (feeSat: Sat, weight: number): FeeratePerKw =>
  feeratePerKw(Math.max(FEERATE_FLOOR, Number((feeSat * 1000n) / BigInt(weight))));
