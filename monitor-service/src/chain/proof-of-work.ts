/**
 * PURE. Compact targets, proof of work and accumulated work (Bitcoin consensus; BIP 34 era rules).
 * A source that answers with cheap headers must not move our view of the chain (reliability F-38, A5).
 */
import { err, ok, type Result } from "@farwatch/protocol/result";

/** Names as bitcoind's `-chain` and `getblockchaininfo` use them. */
export type ChainName = "main" | "test" | "testnet4" | "signet" | "regtest";

/** consensus.powLimit of bitcoind's src/kernel/chainparams.cpp: the easiest target of each chain. */
const POW_LIMIT: Readonly<Record<ChainName, bigint>> = {
  main: (1n << 224n) - 1n,
  test: (1n << 224n) - 1n,
  testnet4: (1n << 224n) - 1n,
  signet: 0x377aen << 216n,
  regtest: (1n << 255n) - 1n,
};

/** Chains whose difficulty moves only at retargets; the others allow minimum-difficulty blocks. */
const STRICT_RETARGET: ReadonlySet<ChainName> = new Set<ChainName>(["main", "signet"]);
/** Blocks between retargets (nPowTargetTimespan / nPowTargetSpacing). */
export const RETARGET_INTERVAL = 2016;
/** A retarget changes the target by at most this factor, up or down. */
const MAX_RETARGET_FACTOR = 4n;

/** The 256-bit target a header's `bits` stand for; "badTarget" when negative, zero or too large. */
export function targetOf(bits: number): Result<bigint, "badTarget"> {
  const exponent = bits >>> 24;
  const mantissa = BigInt(bits & 0x7fffff);
  const negative = (bits & 0x800000) !== 0;
  const target =
    exponent <= 3 ? mantissa >> BigInt(8 * (3 - exponent)) : mantissa << BigInt(8 * (exponent - 3));
  if (negative || target === 0n || target >= 1n << 256n) return err("badTarget");
  return ok(target);
}

export type PowFault = "badTarget" | "targetAboveLimit" | "hashAboveTarget";

/** Does the hash (internal order) meet the target, and does the chain allow so easy a target? */
export function checkProofOfWork(
  hash: Uint8Array,
  bits: number,
  chain: ChainName,
): Result<bigint, PowFault> {
  const target = targetOf(bits);
  if (!target.ok) return target;
  if (target.value > POW_LIMIT[chain]) return err("targetAboveLimit");
  return littleEndian(hash) <= target.value ? target : err("hashAboveTarget");
}

/** Expected number of hashes behind one header with this target. */
export const workOf = (target: bigint): bigint => (1n << 256n) / (target + 1n);

/** May a block at `height` have these bits after a block with `previousBits`? Both valid targets. */
export function difficultyMayFollow(
  previousBits: number,
  bits: number,
  height: number,
  chain: ChainName,
): boolean {
  if (!STRICT_RETARGET.has(chain)) return true;
  if (height % RETARGET_INTERVAL !== 0) return bits === previousBits;
  const previous = targetOf(previousBits);
  const next = targetOf(bits);
  if (!previous.ok || !next.ok) return false;
  const hardest = compactFloor(previous.value / MAX_RETARGET_FACTOR);
  return next.value <= previous.value * MAX_RETARGET_FACTOR && next.value >= hardest;
}

/** The greatest target <= value that `bits` can express: three significant bytes, the top bit clear. */
function compactFloor(value: bigint): bigint {
  const size = Math.ceil(value.toString(16).length / 2);
  let shift = BigInt(Math.max(0, 8 * (size - 3)));
  if (((value >> shift) & 0x800000n) !== 0n) shift += 8n;
  return (value >> shift) << shift;
}

function littleEndian(hash: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(hash).reverse().toString("hex")}`);
}
