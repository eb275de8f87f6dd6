/**
 * PURE. A block is believed when its bytes are well formed, its header is the one asked for, its merkle
 * root covers exactly these transactions (CVE-2012-2459) and its witness commitment covers exactly
 * these witnesses (BIP 141). Without the last check a source could strip a witness, and with it a
 * preimage that a counterparty revealed on chain.
 */
import { must } from "@farwatch/protocol/assert";
import { equalBytes } from "@farwatch/protocol/bytes";
import { err, ok, type Result } from "@farwatch/protocol/result";
import {
  layOutBlock,
  OUTPOINT_BYTES,
  TX_BODY,
  TX_BODY_END,
  TX_END,
  TX_START,
  TX_STRIDE,
  type BlockLayout,
} from "./block-layout.js";
import type { BlockHeader } from "./chain-source.js";
import { hash256 } from "./hash256.js";
import { HEADER_BYTES } from "./verify-header.js";

export type BlockFault =
  /** Truncated, trailing bytes, impossible counts, or larger than a block can be. */
  | "malformed"
  | "notThisHeader"
  /** The first transaction is not a coinbase, or another one is. */
  | "badCoinbase"
  | "badMerkleRoot"
  /** CVE-2012-2459: a duplicated subtree gives the same root for other transactions. */
  | "duplicateTransactions"
  /** Witnesses are missing, added or changed (BIP 141). */
  | "badWitnessCommitment";

export interface VerifiedBlock {
  readonly header: BlockHeader;
  readonly raw: Uint8Array;
  /** 32 bytes per transaction, internal order. */
  readonly txids: Uint8Array;
}

export const HASH_BYTES = 32;

/** BIP 141: OP_RETURN, push of 36 bytes, 0xaa21a9ed, then the commitment. */
const COMMITMENT_HEADER = Uint8Array.of(0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed);
const COMMITMENT_SCRIPT_BYTES = 38;

/** `header` has passed verifyHeader. */
export function verifyBlock(
  header: BlockHeader,
  raw: Uint8Array,
): Result<VerifiedBlock, BlockFault> {
  const layout = layOutBlock(raw);
  if (layout === undefined) return err("malformed");
  if (!equalBytes(raw.subarray(0, HEADER_BYTES), header.raw)) return err("notThisHeader");
  if (!hasOneCoinbase(raw, layout)) return err("badCoinbase");
  const txids = txidsOf(raw, layout);
  const tree = merkleRoot(txids);
  if (!equalBytes(tree.root, header.merkleRoot)) return err("badMerkleRoot");
  if (tree.duplicated) return err("duplicateTransactions");
  if (!witnessesAreCommitted(raw, layout, txids)) return err("badWitnessCommitment");
  return ok({ header, raw, txids });
}

/** All txids of a laid out block, 32 bytes each, internal order. */
export function txidsOf(raw: Uint8Array, layout: BlockLayout): Uint8Array {
  const txids = new Uint8Array(layout.txCount * HASH_BYTES);
  for (let i = 0; i < layout.txCount; i++) txids.set(txidAt(raw, layout, i), i * HASH_BYTES);
  return txids;
}

/** BIP 141: the txid covers version, inputs, outputs and locktime, not marker, flag and witnesses. */
export function txidAt(raw: Uint8Array, layout: BlockLayout, index: number): Uint8Array {
  const [start, body, bodyEnd, end] = spanOf(layout, index);
  if (body === start + 4) return hash256(raw.subarray(start, end));
  const stripped = new Uint8Array(4 + (bodyEnd - body) + 4);
  stripped.set(raw.subarray(start, start + 4), 0);
  stripped.set(raw.subarray(body, bodyEnd), 4);
  stripped.set(raw.subarray(end - 4, end), 4 + bodyEnd - body);
  return hash256(stripped);
}

function spanOf(layout: BlockLayout, index: number): readonly [number, number, number, number] {
  const at = index * TX_STRIDE;
  const field = (name: number): number => must(layout.txs[at + name], "transaction span");
  return [field(TX_START), field(TX_BODY), field(TX_BODY_END), field(TX_END)];
}

/** `duplicated` when two neighbours that are both present are equal at any level. */
export function merkleRoot(leaves: Uint8Array): { root: Uint8Array; duplicated: boolean } {
  let level = Uint8Array.from(leaves);
  let duplicated = false;
  while (level.length > HASH_BYTES) {
    const count = level.length / HASH_BYTES;
    const next = new Uint8Array(Math.ceil(count / 2) * HASH_BYTES);
    for (let i = 0; i < count; i += 2) {
      const pair = level.subarray(i * HASH_BYTES, (i + 2) * HASH_BYTES);
      const left = pair.subarray(0, HASH_BYTES);
      const alone = pair.length === HASH_BYTES;
      if (!alone && equalBytes(left, pair.subarray(HASH_BYTES))) duplicated = true;
      next.set(hash256(alone ? Buffer.concat([left, left]) : pair), (i / 2) * HASH_BYTES);
    }
    level = next;
  }
  return { root: level, duplicated };
}

/** A real coinbase first also rules out inner merkle nodes posing as 64-byte transactions. */
function hasOneCoinbase(raw: Uint8Array, layout: BlockLayout): boolean {
  const firstOfSecond = layout.txs[TX_STRIDE + TX_STRIDE - 1];
  if (firstOfSecond !== 1) return false;
  return layout.inputs.every((offset, index) => isNullOutpoint(raw, offset) === (index === 0));
}

function isNullOutpoint(raw: Uint8Array, offset: number): boolean {
  for (let i = 0; i < OUTPOINT_BYTES; i++) {
    if (raw[offset + i] !== (i < HASH_BYTES ? 0 : 0xff)) return false;
  }
  return true;
}

function witnessesAreCommitted(raw: Uint8Array, layout: BlockLayout, txids: Uint8Array): boolean {
  const commitment = commitmentOf(raw, layout);
  if (commitment === undefined) return !anyWitness(layout);
  const reserved = reservedValueOf(raw, layout);
  if (reserved === undefined) return false;
  const wtxids = Uint8Array.from(txids);
  wtxids.fill(0, 0, HASH_BYTES); // the coinbase counts as zero
  for (let i = 1; i < layout.txCount; i++) {
    const [start, body, , end] = spanOf(layout, i);
    if (body !== start + 4) wtxids.set(hash256(raw.subarray(start, end)), i * HASH_BYTES);
  }
  const expected = hash256(Buffer.concat([merkleRoot(wtxids).root, reserved]));
  return equalBytes(expected, commitment);
}

function anyWitness(layout: BlockLayout): boolean {
  for (let i = 0; i < layout.txCount; i++) {
    const [start, body] = spanOf(layout, i);
    if (body !== start + 4) return true;
  }
  return false;
}

/** The last output of the coinbase with a commitment script wins (BIP 141). */
function commitmentOf(raw: Uint8Array, layout: BlockLayout): Uint8Array | undefined {
  const [, body, bodyEnd] = spanOf(layout, 0);
  const view = Buffer.from(raw.buffer, raw.byteOffset + body, bodyEnd - body);
  const outputs = outputScripts(view);
  return outputs
    .filter((script) => script.length >= COMMITMENT_SCRIPT_BYTES)
    .filter((script) => equalBytes(script.subarray(0, 6), COMMITMENT_HEADER))
    .at(-1)
    ?.subarray(6, COMMITMENT_SCRIPT_BYTES);
}

/** Scripts of all outputs of a laid out body (input count to last output) with one input. */
function outputScripts(body: Buffer): Uint8Array[] {
  const cursor = { at: 1 + OUTPOINT_BYTES };
  const scriptSig = compactSize(body, cursor);
  cursor.at += scriptSig + 4;
  const count = compactSize(body, cursor);
  return Array.from({ length: count }, () => {
    cursor.at += 8;
    const length = compactSize(body, cursor);
    cursor.at += length;
    return body.subarray(cursor.at - length, cursor.at);
  });
}

/** The coinbase's witness: exactly one item of 32 bytes (BIP 141). */
function reservedValueOf(raw: Uint8Array, layout: BlockLayout): Uint8Array | undefined {
  const [start, body, bodyEnd, end] = spanOf(layout, 0);
  const witness = raw.subarray(bodyEnd, end - 4);
  const oneItem =
    witness.length === 2 + HASH_BYTES && witness[0] === 1 && witness[1] === HASH_BYTES;
  return body !== start + 4 && oneItem ? witness.subarray(2) : undefined;
}

/** For bytes that layOutBlock has accepted. */
function compactSize(bytes: Buffer, cursor: { at: number }): number {
  const first = bytes.readUInt8(cursor.at);
  cursor.at += 1;
  if (first < 0xfd) return first;
  const length = first === 0xfd ? 2 : 4;
  const value = bytes.readUIntLE(cursor.at, length);
  cursor.at += length;
  return value;
}
