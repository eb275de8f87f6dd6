/**
 * How much fee a claim pays, first and when it is replaced (onchain-engine 9.4; BIP 125). An
 * estimate never takes more than half of the value; forced bumps may go on until only dust is
 * left. undefined means: not worth a (new) transaction; the one already sent stays.
 */
import type { FeeratePerKw, Sat } from "@farwatch/protocol/amount";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { feeForWeight } from "../bolt/weights.js";

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
  const { estimate, weight, valueSat } = question;
  const halfRate = ((valueSat / MAX_ESTIMATED_SHARE) * 1000n) / BigInt(weight);
  const wanted = Math.max(estimate, FEERATE_FLOOR);
  const rate = halfRate < BigInt(wanted) ? feeratePerKw(Number(halfRate)) : feeratePerKw(wanted);
  return rate < FEERATE_FLOOR ? undefined : aboveDust(question, feeForWeight(rate, weight), rate);
}

/**
 * What `feerate` costs at `weight`: the previous fee of a claim that has lost some of its inputs.
 */
export const feeAtFeerate = (feerate: FeeratePerKw, weight: number): FeeChoice => ({
  feeSat: feeForWeight(feerate, weight),
  feeratePerKw: feerate,
});

/**
 * Fee of the next version of a claim sent before with the same inputs. `previous` again means: send
 * the same transaction again.
 */
export function bumpFee(
  question: FeeQuestion,
  previous: FeeChoice,
  strategy: BumpStrategy,
): FeeChoice | undefined {
  const { weight, valueSat, dustLimitSat: dust } = question;
  const affordable = (choice: FeeChoice): FeeChoice | undefined =>
    valueSat - choice.feeSat < dust ? undefined : choice;
  if (strategy === "retry") return affordable(previous);
  const fresh = chooseFirstFee(question);
  if (fresh === undefined) return undefined;
  const rate = nextFeerate(fresh.feeratePerKw, previous.feeratePerKw, strategy);
  if (rate === previous.feeratePerKw) return affordable(previous);
  const lowestReplacement = previous.feeSat + feeForWeight(INCREMENTAL_RELAY_FEERATE, weight);
  const naive = feeForWeight(rate, weight);
  const feeSat = sat(naive > lowestReplacement ? naive : lowestReplacement);
  return affordable({ feeSat, feeratePerKw: feerateOf(feeSat, weight) });
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
