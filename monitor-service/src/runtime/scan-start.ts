/**
 * Where a channel whose best block is not among our headers starts to follow the chain: at that block,
 * or, when a reorganisation removed it, at the highest block below it that stands in the best chain. A
 * channel that starts too low misses nothing, it only reads more.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { BlockHeader, ChainSource } from "../chain/chain-source.js";
import { MAX_REORG_DEPTH } from "../chain/follow-chain.js";
import type { ChainName } from "../chain/proof-of-work.js";
import { verifyHeader, verifyLink } from "../chain/verify-header.js";

export interface HeaderSource {
  readonly source: Pick<ChainSource, "header" | "hashAtHeight">;
  readonly chain: ChainName;
}

/** Errors: chainBehind, malformed (the block has another height). Throws ChainUnavailable. */
export async function findScanStart(
  from: HeaderSource,
  best: BlockPoint,
): Promise<Result<BlockHeader, Refusal>> {
  let header = await verified(from, best);
  if (header === undefined) return err(unknownBlock(best));
  if (header.height !== best.height) {
    const details = { field: "best_block.height", expected: String(header.height) };
    return err(refuse("malformed", "the block has another height", details));
  }
  for (let depth = 0; depth <= MAX_REORG_DEPTH; depth++) {
    const { height, hash, previousHash } = header;
    if ((await from.source.hashAtHeight(height)) === hash) return ok(header);
    const below = await verified(from, { height, hash: previousHash });
    if (below === undefined || !verifyLink(header, below, from.chain).ok) break;
    header = below;
  }
  return err(unknownBlock(best));
}

/** Its height is the source's word, and tied to our own headers when the channel joins. */
async function verified(
  { source, chain }: HeaderSource,
  { hash }: BlockPoint,
): Promise<BlockHeader | undefined> {
  const claimed = await source.header(hash);
  const header = claimed === undefined ? undefined : verifyHeader(claimed, hash, chain);
  return header?.ok === true ? header.value : undefined;
}

const unknownBlock = ({ height, hash }: BlockPoint): Refusal =>
  refuse("chainBehind", "bitcoind's best chain has neither best_block nor its ancestors", {
    height: String(height),
    hash,
  });
