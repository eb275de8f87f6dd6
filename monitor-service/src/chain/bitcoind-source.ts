/**
 * ChainSource over one bitcoind: RPC for everything, REST for blocks where it is on (five times faster),
 * ZMQ only as a hint. Answers are shaped here and believed elsewhere (verify-header.ts, verify-block.ts).
 */
import { feeratePerKw, type FeeratePerKw } from "@farwatch/protocol/amount";
import type { BlockHash, BlockHeight, BlockPoint } from "@farwatch/protocol/block";
import { must } from "@farwatch/protocol/assert";
import { fromHex, reversed, toHex } from "@farwatch/protocol/bytes";
import { txid, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { parseTx } from "../tx/parsed-tx.js";
import {
  bytesOf,
  feerateOf,
  fieldsOf,
  hashOf,
  heightOf,
  listOf,
  outputOf,
  textOf,
} from "./answers.js";
import { RpcRefusal, type BitcoindRpc } from "./bitcoind-rpc.js";
import { openZmqHints, type ZmqHints } from "./bitcoind-zmq.js";
import {
  BlockPruned,
  ChainUnavailable,
  type BlockHeader,
  type BroadcastResult,
  type ChainFeerates,
  type ChainSource,
  type ConfirmedOutput,
  type HintListener,
} from "./chain-source.js";
import { classifyRejection } from "./classify-rejection.js";
import { packageVerdict } from "./package-verdict.js";
import type { ChainName } from "./proof-of-work.js";
import { HEADER_BYTES } from "./verify-header.js";

/** Block targets of estimatesmartfee. */
const URGENT_TARGET = 2;
const NORMAL_TARGET = 12;
/** Used when bitcoind has no estimate (fresh node, empty chain): 20 and 5 sat/vB. */
export const FALLBACK_FEERATES: ChainFeerates = {
  urgent: feeratePerKw(5_000),
  normal: feeratePerKw(1_250),
};
/** BOLT 3's lower limit: 253 sat/kw is 1 sat/vB after rounding. */
export const MIN_FEERATE_PER_KW = 253;
/** RPC_INVALID_ADDRESS_OR_KEY: "Block not found". */
const NOT_FOUND = -5;
/** RPC_INVALID_PARAMETER: "Block height out of range". */
const OUT_OF_RANGE = -8;
/** RPC_TRANSACTION_ERROR, _REJECTED, _ALREADY_IN_UTXO_SET: bitcoind judged the transaction. */
const TRANSACTION_VERDICTS: ReadonlySet<number> = new Set([-25, -26, -27]);
/** bitcoind's own limit on absurd feerates is off: fee caps are the claim engine's decision. */
const NO_MAX_FEERATE = 0;

export interface BitcoindSourceOptions {
  readonly rpc: BitcoindRpc;
  readonly chain: ChainName;
  /** tcp://host:port of zmqpubhashblock; without it only the follower's timer notices blocks. */
  readonly zmqHashblock?: string;
}

/** bitcoind src/rpc/blockchain.cpp, "Block not available (pruned data)". */
const PRUNED = /pruned data/u;

export class BitcoindSource implements ChainSource {
  readonly #rpc: BitcoindRpc;
  readonly #chain: ChainName;
  readonly #listeners = new Set<HintListener>();
  #zmq: ZmqHints | undefined;
  #restWorks = true;

  private constructor(options: BitcoindSourceOptions) {
    this.#rpc = options.rpc;
    this.#chain = options.chain;
  }

  /** Needs no running bitcoind. Throws when the ZMQ endpoint is not an endpoint. */
  static async open(options: BitcoindSourceOptions): Promise<BitcoindSource> {
    const source = new BitcoindSource(options);
    if (options.zmqHashblock !== undefined) {
      source.#zmq = await openZmqHints(options.zmqHashblock, () => source.#hint());
    }
    return source;
  }

  /** An outage while bitcoind serves another chain or is still in its initial download. */
  async tip(): Promise<BlockPoint> {
    const info = fieldsOf(await this.#rpc.call("getblockchaininfo"), "getblockchaininfo");
    if (info["chain"] !== this.#chain) {
      throw new ChainUnavailable(`bitcoind serves another chain than ${this.#chain}`);
    }
    if (info["initialblockdownload"] === true && this.#chain !== "regtest") {
      throw new ChainUnavailable("bitcoind is in its initial block download");
    }
    return {
      height: heightOf(info["blocks"], "blocks"),
      hash: hashOf(info["bestblockhash"], "bestblockhash"),
    };
  }

  async header(hash: BlockHash): Promise<BlockHeader | undefined> {
    const answer = await this.#unless(NOT_FOUND, "getblockheader", [hash, true]);
    return answer === undefined ? undefined : headerOf(fieldsOf(answer, "getblockheader"));
  }

  async hashAtHeight(height: BlockHeight): Promise<BlockHash | undefined> {
    const answer = await this.#unless(OUT_OF_RANGE, "getblockhash", [height]);
    return answer === undefined ? undefined : hashOf(answer, "getblockhash");
  }

  async block(hash: BlockHash): Promise<Uint8Array> {
    if (this.#restWorks) {
      const raw = await this.#rpc.getBinary(`/rest/block/${hash}.bin`);
      if (raw !== undefined) return raw;
    }
    const raw = bytesOf(await this.#getBlock(hash), "getblock");
    this.#restWorks = false; // RPC has what REST does not: REST is off
    return raw;
  }

  async #getBlock(hash: BlockHash): Promise<unknown> {
    try {
      return await this.#judged("getblock", [hash, 0]);
    } catch (error) {
      if (!(error instanceof ChainUnavailable) || !PRUNED.test(error.message)) throw error;
      throw new BlockPruned(error.message, { cause: error });
    }
  }

  async broadcast(rawTx: Uint8Array): Promise<BroadcastResult> {
    try {
      await this.#rpc.call("sendrawtransaction", [toHex(rawTx), NO_MAX_FEERATE]);
      return { kind: "accepted" };
    } catch (error) {
      if (!(error instanceof RpcRefusal)) throw error;
      if (TRANSACTION_VERDICTS.has(error.code)) return classifyRejection(error.message);
      // -22 and the like: bitcoind cannot even read it. Ours to fix, so never "try again".
      return { kind: "refused", reason: "policy", message: error.message };
    }
  }

  /** In parts where bitcoind has no packages, or does not take these for one (a parent is in a block). */
  async broadcastPackage(rawTxs: readonly Uint8Array[]): Promise<BroadcastResult> {
    const child = rawTxs.at(-1);
    if (child === undefined || rawTxs.length === 1) return this.#inParts(rawTxs);
    try {
      const answer = await this.#rpc.call("submitpackage", [rawTxs.map(toHex), NO_MAX_FEERATE]);
      const verdict = packageVerdict(fieldsOf(answer, "submitpackage"), parseTx(child).txid);
      return verdict ?? (await this.#inParts(rawTxs));
    } catch (error) {
      if (!(error instanceof RpcRefusal)) throw error;
      return this.#inParts(rawTxs);
    }
  }

  /** The child's verdict; that of the first parent that is refused when it explains the child's. */
  async #inParts(rawTxs: readonly Uint8Array[]): Promise<BroadcastResult> {
    let cause: BroadcastResult | undefined;
    for (const raw of rawTxs.slice(0, -1)) {
      const result = await this.broadcast(raw);
      if (result.kind === "refused") cause ??= result;
    }
    const child = await this.broadcast(must(rawTxs.at(-1), "a package has a child"));
    const orphaned = child.kind === "refused" && child.reason === "missingInputs";
    return orphaned ? (cause ?? child) : child;
  }

  async testAccept(rawTxs: readonly Uint8Array[]): Promise<readonly BroadcastResult[]> {
    const answer = await this.#judged("testmempoolaccept", [rawTxs.map(toHex), NO_MAX_FEERATE]);
    return listOf(answer, "testmempoolaccept").map((item) => {
      const verdict = fieldsOf(item, "testmempoolaccept");
      if (verdict["allowed"] === true) return { kind: "accepted" };
      // In a package that fails as a whole, transactions behind the first failure have no verdict.
      const reason = verdict["reject-reason"] ?? verdict["package-error"] ?? "not validated";
      return classifyRejection(textOf(reason, "reject-reason"));
    });
  }

  /** Never below what the mempool takes now; urgent is never below normal. */
  async feerates(): Promise<ChainFeerates> {
    const [urgent, normal, mempool] = await Promise.all([
      this.#estimate(URGENT_TARGET, "CONSERVATIVE"),
      this.#estimate(NORMAL_TARGET, "ECONOMICAL"),
      this.#judged("getmempoolinfo", []),
    ]);
    const info = fieldsOf(mempool, "getmempoolinfo");
    const floor = Math.max(MIN_FEERATE_PER_KW, feerateOf(info["mempoolminfee"]) ?? 0);
    const normalOrMore = Math.max(normal ?? FALLBACK_FEERATES.normal, floor);
    return {
      normal: feeratePerKw(normalOrMore),
      urgent: feeratePerKw(Math.max(urgent ?? FALLBACK_FEERATES.urgent, normalOrMore)),
    };
  }

  async mempoolSpender({ txid: of, vout }: Outpoint): Promise<Txid | undefined> {
    const what = "gettxspendingprevout";
    const [first] = listOf(await this.#judged(what, [[{ txid: of, vout }]]), what);
    const spender = fieldsOf(first, what)["spendingtxid"];
    return spender === undefined ? undefined : txid(hashOf(spender, what));
  }

  async mempoolTx(of: Txid): Promise<Uint8Array | undefined> {
    const what = "getrawtransaction";
    const hex = await this.#unless(NOT_FOUND, what, [of]);
    return hex === undefined ? undefined : Uint8Array.from(bytesOf(hex, what));
  }

  async confirmedOutput({ txid: of, vout }: Outpoint): Promise<ConfirmedOutput | undefined> {
    const answer = await this.#judged("gettxout", [of, vout, false]);
    return answer === null ? undefined : outputOf(fieldsOf(answer, "gettxout"));
  }

  onHint(listener: HintListener): () => void {
    const own: HintListener = () => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Ends the calls under way with ChainUnavailable. */
  async close(): Promise<void> {
    this.#listeners.clear();
    this.#rpc.close();
    await this.#zmq?.close();
  }

  #hint(): void {
    for (const listener of this.#listeners) listener();
  }

  async #estimate(target: number, mode: string): Promise<FeeratePerKw | undefined> {
    const answer = fieldsOf(await this.#judged("estimatesmartfee", [target, mode]), "estimate");
    return feerateOf(answer["feerate"]);
  }

  /** A refusal of a question that cannot be wrong (pruned block, busy node) is an outage. */
  async #judged(method: string, params: readonly unknown[]): Promise<unknown> {
    try {
      return await this.#rpc.call(method, params);
    } catch (cause) {
      if (!(cause instanceof RpcRefusal)) throw cause;
      throw new ChainUnavailable(`${method} refused: ${cause.message}`, { cause });
    }
  }

  async #unless(code: number, method: string, params: readonly unknown[]): Promise<unknown> {
    try {
      return await this.#rpc.call(method, params);
    } catch (cause) {
      if (!(cause instanceof RpcRefusal)) throw cause;
      if (cause.code === code) return undefined;
      throw new ChainUnavailable(`${method} refused: ${cause.message}`, { cause });
    }
  }
}

/** The verbose form tells the height; the 80 bytes are put together again and must hash to `hash`. */
function headerOf(answer: Readonly<Record<string, unknown>>): BlockHeader {
  const genesis = answer["previousblockhash"] === undefined;
  const previousHash = hashOf(genesis ? "0".repeat(64) : answer["previousblockhash"], "previous");
  const merkleRoot = reversed(fromHex(hashOf(answer["merkleroot"], "merkleroot")));
  const bits = parseInt(textOf(answer["bits"], "bits"), 16);
  const time = Number(answer["time"]);
  const raw = new Uint8Array(HEADER_BYTES);
  const view = new DataView(raw.buffer);
  view.setInt32(0, Number(answer["version"]), true);
  raw.set(reversed(fromHex(previousHash)), 4);
  raw.set(merkleRoot, 36);
  view.setUint32(68, time, true);
  view.setUint32(72, bits, true);
  view.setUint32(76, Number(answer["nonce"]), true);
  const height = heightOf(answer["height"], "height");
  return {
    hash: hashOf(answer["hash"], "hash"),
    previousHash,
    merkleRoot,
    height,
    bits,
    time,
    raw,
  };
}
