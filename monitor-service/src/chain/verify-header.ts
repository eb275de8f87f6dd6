/**
 * PURE. What makes a header believable: its own hash, its proof of work and its link to the block
 * before it. Time and version rules are left out: they need history, and cost a liar nothing.
 */
import { must } from "@farwatch/protocol/assert";
import { blockHash, blockHeight, type BlockHash, type BlockHeight } from "@farwatch/protocol/block";
import { toHex } from "@farwatch/protocol/bytes";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { BlockHeader } from "./chain-source.js";
import { displayHex, hash256 } from "./hash256.js";
import {
  checkProofOfWork,
  difficultyMayFollow,
  type ChainName,
  type PowFault,
} from "./proof-of-work.js";

export const HEADER_BYTES = 80;

export type HeaderFault =
  | PowFault
  /** Not 80 bytes. */
  | "malformed"
  /** The raw bytes hash to another block, or other fields than the source said stand in them. */
  | "notThisBlock"
  /** previousHash or height do not continue the block before it. */
  | "unlinked"
  /** The target changed where or by more than the chain allows. */
  | "badDifficulty";

/** Reads the 80 bytes of a header. Checks nothing but the length. */
export function parseHeader(
  raw: Uint8Array,
  height: BlockHeight,
): Result<BlockHeader, "malformed"> {
  if (raw.length !== HEADER_BYTES) return err("malformed");
  const copy = Uint8Array.from(raw);
  const view = new DataView(copy.buffer);
  return ok({
    hash: blockHash(displayHex(hash256(copy))),
    previousHash: blockHash(displayHex(copy.subarray(4, 36))),
    merkleRoot: copy.slice(36, 68),
    height,
    bits: view.getUint32(72, true),
    time: view.getUint32(68, true),
    raw: copy,
  });
}

/**
 * Checks a source's answer for `hash`, and takes every field but the height from the hashed bytes.
 * Link and difficulty are checked by verifyLink, once the block before it is known.
 */
export function verifyHeader(
  claimed: BlockHeader,
  hash: BlockHash,
  chain: ChainName,
): Result<BlockHeader, HeaderFault> {
  const parsed = parseHeader(claimed.raw, blockHeight(claimed.height));
  if (!parsed.ok) return parsed;
  const header = parsed.value;
  const same =
    header.hash === hash &&
    claimed.hash === hash &&
    claimed.previousHash === header.previousHash &&
    claimed.bits === header.bits &&
    toHex(claimed.merkleRoot) === toHex(header.merkleRoot);
  if (!same) return err("notThisBlock");
  const work = checkProofOfWork(hash256(header.raw), header.bits, chain);
  return work.ok ? ok(header) : work;
}

/** `header` and `previous` have passed verifyHeader (or come from our own store). */
export function verifyLink(
  header: BlockHeader,
  previous: BlockHeader,
  chain: ChainName,
): Result<void, HeaderFault> {
  const linked = header.previousHash === previous.hash && header.height === previous.height + 1;
  if (!linked) return err("unlinked");
  return difficultyMayFollow(previous.bits, header.bits, header.height, chain)
    ? ok(undefined)
    : err("badDifficulty");
}

/** For headers we stored ourselves; throws when the store holds something else. */
export function storedHeader(raw: Uint8Array, height: number): BlockHeader {
  const parsed = parseHeader(raw, blockHeight(height));
  return must(parsed.ok ? parsed.value : undefined, "80 bytes of a stored header");
}
