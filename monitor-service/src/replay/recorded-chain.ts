/**
 * The chain of a recording as one node saw it grow and shrink: which outputs exist, which are spent.
 * Blocks are verified like any other source's, except for their proof of work.
 */
import { must } from "@farwatch/protocol/assert";
import { blockHeight, type BlockHeight, type BlockPoint } from "@farwatch/protocol/block";
import { fromHex } from "@farwatch/protocol/bytes";
import { outpointKey, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { layOutBlock, TX_END, TX_START, TX_STRIDE } from "../chain/block-layout.js";
import { pointOf } from "../chain/follow-chain.js";
import { verifyBlock, type VerifiedBlock } from "../chain/verify-block.js";
import { HEADER_BYTES, parseHeader } from "../chain/verify-header.js";
import { parseTx, type ParsedOutput, type ParsedTx } from "../tx/parsed-tx.js";
import type { BlockShape } from "./recording-shape.js";
import { ReplayError } from "./replay-error.js";

export interface RecordedBlock {
  readonly point: BlockPoint;
  readonly previous: BlockPoint;
  readonly verified: VerifiedBlock;
  readonly transactions: readonly ParsedTx[];
}

export interface RecordedOutput extends ParsedOutput {
  /** Of the block that made it, the newest one if it was made anew after a reorganisation. */
  readonly height: BlockHeight;
}

export class RecordedChain {
  readonly #blocks: RecordedBlock[] = [];
  readonly #outputs = new Map<string, RecordedOutput>();
  readonly #spenders = new Map<string, Txid>();

  constructor(private readonly known: ReadonlyMap<string, BlockShape>) {}

  /** The newest block; undefined before the first. */
  get tip(): BlockPoint | undefined {
    return this.#blocks.at(-1)?.point;
  }

  connect(hash: string): RecordedBlock {
    const shape = this.known.get(hash);
    if (shape === undefined) throw new ReplayError(`block ${hash} is not in the recording`);
    const block = readBlock(shape);
    if (this.tip !== undefined && this.tip.hash !== block.previous.hash) {
      throw new ReplayError(`block ${hash} does not follow ${this.tip.hash}`);
    }
    this.#blocks.push(block);
    for (const tx of block.transactions) this.#include(tx, block.point.height);
    return block;
  }

  /** The chain ends at the returned block from now on. */
  disconnect(hash: string): BlockPoint {
    if (this.tip?.hash !== hash) throw new ReplayError(`block ${hash} is not the newest`);
    const { transactions, previous } = must(this.#blocks.pop(), "a tip");
    for (const { inputs } of transactions) {
      for (const { outpoint } of inputs) this.#spenders.delete(outpointKey(outpoint));
    }
    return previous;
  }

  spenderOf(outpoint: Outpoint): Txid | undefined {
    return this.#spenders.get(outpointKey(outpoint));
  }

  /** Also one of a block that is gone; undefined when its transaction was never in a block. */
  output(outpoint: Outpoint): RecordedOutput | undefined {
    return this.#outputs.get(outpointKey(outpoint));
  }

  #include({ txid, inputs, outputs }: ParsedTx, height: BlockHeight): void {
    for (const { outpoint } of inputs) this.#spenders.set(outpointKey(outpoint), txid);
    for (const [vout, output] of outputs.entries()) {
      this.#outputs.set(outpointKey({ txid, vout }), { ...output, height });
    }
  }
}

function readBlock({ height, hash, raw: hex }: BlockShape): RecordedBlock {
  const raw = fromHex(hex);
  const header = parseHeader(raw.subarray(0, HEADER_BYTES), blockHeight(height));
  if (!header.ok || header.value.hash !== hash) {
    throw new ReplayError(`block ${hash}: its bytes are those of another block`);
  }
  const verified = verifyBlock(header.value, raw);
  if (!verified.ok) throw new ReplayError(`block ${hash}: ${verified.error}`);
  return {
    point: pointOf(header.value),
    previous: { height: blockHeight(height - 1), hash: header.value.previousHash },
    verified: verified.value,
    transactions: transactionsOf(raw),
  };
}

function transactionsOf(raw: Uint8Array): readonly ParsedTx[] {
  const { txs, txCount } = must(layOutBlock(raw), "a verified block");
  return Array.from({ length: txCount }, (_, index) => {
    const at = index * TX_STRIDE;
    return parseTx(raw.subarray(txs[at + TX_START], txs[at + TX_END]));
  });
}
