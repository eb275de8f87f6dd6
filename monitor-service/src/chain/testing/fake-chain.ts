/**
 * For tests: a regtest chain in memory with real headers (ground to regtest difficulty) and real merkle
 * roots, behind the ChainSource port. Answers can be falsified and outages switched on.
 */
import { must } from "@farwatch/protocol/assert";
import {
  blockHeight,
  type BlockHash,
  type BlockHeight,
  type BlockPoint,
} from "@farwatch/protocol/block";
import { concatBytes, fromHex, reversed } from "@farwatch/protocol/bytes";
import { outpointKey, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import {
  ChainUnavailable,
  type BlockHeader,
  type BroadcastResult,
  type ChainFeerates,
  type ChainSource,
  type ConfirmedOutput,
  type HintListener,
} from "../chain-source.js";
import { FALLBACK_FEERATES } from "../bitcoind-source.js";
import { hash256 } from "../hash256.js";
import { checkProofOfWork } from "../proof-of-work.js";
import { merkleRoot } from "../verify-block.js";
import { storedHeader } from "../verify-header.js";

/** Every second hash meets it. */
export const REGTEST_BITS = 0x207fffff;
/** Four times harder, to build a branch with more work and fewer blocks. */
export const HARDER_BITS = 0x201fffff;

export interface FakeBlock {
  readonly header: BlockHeader;
  readonly raw: Uint8Array;
}

export interface BlockParts {
  readonly bits?: number;
  /** Legacy serialization only; the coinbase is added. */
  readonly transactions?: readonly Uint8Array[];
}

let nextCoinbase = 1;

/** Grinds a block on `previous` (undefined: a genesis at height 0). */
export function mineBlock(previous: BlockHeader | undefined, parts: BlockParts = {}): FakeBlock {
  const height = previous === undefined ? 0 : previous.height + 1;
  const transactions = [coinbase(nextCoinbase++), ...(parts.transactions ?? [])];
  const { root } = merkleRoot(concatBytes(...transactions.map(hash256)));
  const raw = new Uint8Array(80);
  const view = new DataView(raw.buffer);
  view.setInt32(0, 0x20000000, true);
  if (previous !== undefined) raw.set(reversed(fromHex(previous.hash)), 4);
  raw.set(root, 36);
  view.setUint32(68, 1_700_000_000 + 600 * height, true);
  const bits = parts.bits ?? REGTEST_BITS;
  view.setUint32(72, bits, true);
  for (let nonce = 0; !checkProofOfWork(hash256(raw), bits, "regtest").ok; nonce++) {
    view.setUint32(76, nonce, true);
  }
  const count = Uint8Array.of(transactions.length);
  return { header: storedHeader(raw, height), raw: concatBytes(raw, count, ...transactions) };
}

/** A legacy transaction without a witness; unique per number. */
export function coinbase(number: number): Uint8Array {
  const script = new Uint8Array(9);
  script[0] = 8;
  new DataView(script.buffer).setBigUint64(1, BigInt(number), true);
  return legacyTx([{ outpoint: concatBytes(new Uint8Array(32), fromHex("ffffffff")), script }], 1);
}

export interface FakeInput {
  /** 36 bytes, as in an input. */
  readonly outpoint: Uint8Array;
  readonly script?: Uint8Array;
}

/** Fewer than 253 inputs and outputs. */
export function legacyTx(inputs: readonly FakeInput[], outputs: number): Uint8Array {
  return concatBytes(
    fromHex("02000000"),
    Uint8Array.of(inputs.length),
    ...inputs.map(({ outpoint, script = new Uint8Array(0) }) =>
      concatBytes(outpoint, Uint8Array.of(script.length), script, fromHex("ffffffff")),
    ),
    Uint8Array.of(outputs),
    ...Array.from({ length: outputs }, () => fromHex("e8030000000000000151")),
    fromHex("00000000"),
  );
}

export interface Lies {
  readonly tip?: (tip: BlockPoint) => BlockPoint;
  /** Undefined: a block this chain does not have. */
  readonly header?: (header: BlockHeader | undefined) => BlockHeader | undefined;
  readonly block?: (raw: Uint8Array) => Uint8Array;
}

export class FakeChain implements ChainSource {
  /** Best chain, by height. */
  best: FakeBlock[] = [mineBlock(undefined)];
  readonly broadcasts: Uint8Array[] = [];
  /** Answer to a broadcast. */
  judge: (rawTx: Uint8Array) => BroadcastResult = () => ({ kind: "accepted" });
  /** By outpoint key. */
  readonly mempoolSpenders = new Map<string, Txid>();
  readonly confirmedOutputs = new Map<string, ConfirmedOutput>();
  readonly mempoolTxs = new Map<Txid, Uint8Array>();
  /** While true every question is an outage. */
  down = false;
  /** While true there are no hints, as without ZMQ. */
  quiet = false;
  /** What the source answers instead of the truth. */
  lies: Lies = {};
  /** Called before each answer to block(); a test may change the chain under the follower here. */
  beforeBlock: (hash: BlockHash) => void = () => undefined;
  readonly #byHash = new Map<BlockHash, FakeBlock>();
  readonly #listeners = new Set<HintListener>();

  constructor(length = 0) {
    this.#remember(this.tipBlock);
    this.mine(length);
  }

  get tipBlock(): FakeBlock {
    return must(this.best.at(-1), "genesis");
  }

  /** Adds n blocks to the best chain. */
  mine(n: number, parts: BlockParts = {}): void {
    for (let i = 0; i < n; i++) {
      const block = mineBlock(this.tipBlock.header, parts);
      this.#remember(block);
      this.best.push(block);
    }
    this.hint();
  }

  /** Replaces the last `depth` blocks by `length` new ones. */
  reorg(depth: number, length: number, parts: BlockParts = {}): void {
    this.best = this.best.slice(0, this.best.length - depth);
    this.mine(length, parts);
  }

  /** Newest first, for a sink that starts at this chain's height. */
  ring(height: number, size = 144): readonly BlockHeader[] {
    const upTo = this.best.slice(0, height + 1).map(({ header }) => header);
    return upTo.reverse().slice(0, size);
  }

  hint(): void {
    if (this.quiet) return;
    for (const listener of this.#listeners) listener();
  }

  async tip(): Promise<BlockPoint> {
    this.#answering();
    const { hash, height } = this.tipBlock.header;
    return this.lies.tip?.({ hash, height }) ?? { hash, height };
  }
  async header(hash: BlockHash): Promise<BlockHeader | undefined> {
    this.#answering();
    const header = this.#byHash.get(hash)?.header;
    return this.lies.header === undefined ? header : this.lies.header(header);
  }
  async hashAtHeight(height: BlockHeight): Promise<BlockHash | undefined> {
    this.#answering();
    return this.best[blockHeight(height)]?.header.hash;
  }
  async block(hash: BlockHash): Promise<Uint8Array> {
    this.beforeBlock(hash);
    this.#answering();
    const block = this.#byHash.get(hash);
    if (block === undefined) throw new ChainUnavailable("block not found");
    return this.lies.block?.(block.raw) ?? block.raw;
  }
  async broadcast(rawTx: Uint8Array): Promise<BroadcastResult> {
    this.#answering();
    this.broadcasts.push(rawTx);
    return this.judge(rawTx);
  }
  async broadcastPackage(rawTxs: readonly Uint8Array[]): Promise<BroadcastResult> {
    this.#answering();
    this.broadcasts.push(...rawTxs);
    return this.judge(must(rawTxs.at(-1), "a child"));
  }
  async testAccept(rawTxs: readonly Uint8Array[]): Promise<readonly BroadcastResult[]> {
    this.#answering();
    return rawTxs.map(() => ({ kind: "accepted" }));
  }
  async feerates(): Promise<ChainFeerates> {
    this.#answering();
    return FALLBACK_FEERATES;
  }
  async mempoolSpender(outpoint: Outpoint): Promise<Txid | undefined> {
    this.#answering();
    return this.mempoolSpenders.get(outpointKey(outpoint));
  }
  async mempoolTx(txid: Txid): Promise<Uint8Array | undefined> {
    this.#answering();
    return this.mempoolTxs.get(txid);
  }
  async confirmedOutput(outpoint: Outpoint): Promise<ConfirmedOutput | undefined> {
    this.#answering();
    return this.confirmedOutputs.get(outpointKey(outpoint));
  }
  onHint(listener: HintListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  async close(): Promise<void> {
    this.#listeners.clear();
  }

  #remember(block: FakeBlock): void {
    this.#byHash.set(block.header.hash, block);
  }
  #answering(): void {
    if (this.down) throw new ChainUnavailable("the fake chain is down");
  }
}
