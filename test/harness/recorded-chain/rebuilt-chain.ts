/**
 * A recording's blocks on a chain that begins at genesis: a recording starts in the middle, and a new monitor
 * reads the headers before. Every transaction is as it was; headers are ground anew on their new parents, so
 * blocks have new hashes, and a ChannelMonitor that names one of the old ones must be told the new one.
 */
import { must } from "@farwatch/protocol/assert";
import type { BlockHash } from "@farwatch/protocol/block";
import { concatBytes, fromHex, reversed, toHex } from "@farwatch/protocol/bytes";
import { mineBlock, REGTEST_BITS } from "@farwatch/monitor-service/chain/testing/fake-chain";
import { hash256 } from "@farwatch/monitor-service/chain/hash256";
import { checkProofOfWork } from "@farwatch/monitor-service/chain/proof-of-work";
import { storedHeader } from "@farwatch/monitor-service/chain/verify-header";
import type { BlockHeader } from "@farwatch/monitor-service/chain/chain-source";

const HEADER_BYTES = 80;
const PREVIOUS_AT = 4;
const NONCE_AT = 76;

export interface ChainBlock {
  readonly header: BlockHeader;
  readonly raw: Uint8Array;
}

interface OldBlock {
  readonly height: number;
  readonly hash: string;
  readonly raw: string;
}

export interface RebuiltChain {
  /** By height, from genesis on. */
  readonly blocks: readonly ChainBlock[];
  /** LDK's bytes as hex, with the new hashes in them. */
  readonly translate: (ldkHex: string) => string;
}

/** `old`: blocks of one chain without gaps, by rising height. */
export function rebuildChain(old: readonly OldBlock[]): RebuiltChain {
  const blocks: ChainBlock[] = [];
  const newHashes: [old: string, now: string][] = [];
  const first = must(old[0], "a recorded block").height;
  while (blocks.length < first) blocks.push(mineBlock(blocks.at(-1)?.header));
  for (const { hash, raw } of old) {
    const block = onParent(
      must(blocks.at(-1), "a parent").header.hash,
      fromHex(raw),
      blocks.length,
    );
    newHashes.push([internal(hash), internal(block.header.hash)]);
    blocks.push(block);
  }
  const translate = (text: string): string =>
    newHashes.reduce((done, [was, now]) => done.replaceAll(was, now), text);
  return { blocks, translate };
}

const internal = (hash: string): string => toHex(reversed(fromHex(hash)));

function onParent(parent: BlockHash, raw: Uint8Array, height: number): ChainBlock {
  const header = Uint8Array.from(raw.subarray(0, HEADER_BYTES));
  header.set(reversed(fromHex(parent)), PREVIOUS_AT);
  const view = new DataView(header.buffer);
  for (let nonce = 0; !checkProofOfWork(hash256(header), REGTEST_BITS, "regtest").ok; nonce++) {
    view.setUint32(NONCE_AT, nonce, true);
  }
  const block = concatBytes(header, raw.subarray(HEADER_BYTES));
  return { header: storedHeader(header, height), raw: block };
}
