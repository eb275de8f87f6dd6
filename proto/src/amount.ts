/** Amounts. Satoshis and millisatoshis are different types; conversions name their rounding. */
import { assert } from "./assert.js";
import { brand, type Brand } from "./brand.js";

export type Sat = Brand<bigint, "Sat">;
export type Msat = Brand<bigint, "Msat">;
/** Satoshis per 1000 weight units, the unit of BOLT 2 `feerate_per_kw`. */
export type FeeratePerKw = Brand<number, "FeeratePerKw">;

/** 21 million BTC. An amount above it is malformed wherever it comes from. */
export const MAX_SAT = 21_000_000n * 100_000_000n;
export const MAX_MSAT = MAX_SAT * 1000n;

export function sat(value: bigint | number): Sat {
  const amount = BigInt(value);
  assert(amount >= 0n && amount <= MAX_SAT, `sat out of range: ${amount}`);
  return brand<Sat>(amount);
}

export function msat(value: bigint | number): Msat {
  const amount = BigInt(value);
  assert(amount >= 0n && amount <= MAX_MSAT, `msat out of range: ${amount}`);
  return brand<Msat>(amount);
}

export function feeratePerKw(value: number): FeeratePerKw {
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffffffff, `feerate: ${value}`);
  return brand<FeeratePerKw>(value);
}

/** Never above 21 million BTC: a sum that would be is of channels that cannot exist. */
export function sumMsat(amounts: readonly Msat[]): Msat {
  const sum = amounts.reduce((total, amount) => total + amount, 0n);
  return msat(sum < MAX_MSAT ? sum : MAX_MSAT);
}

/** Rounds down, as every commitment output must be (BOLT 3, "Commitment Transaction Outputs"). */
export const msatToSatFloor = (amount: Msat): Sat => sat(amount / 1000n);

export const satToMsat = (amount: Sat): Msat => msat(amount * 1000n);
