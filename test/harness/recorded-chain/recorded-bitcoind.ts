/**
 * What a monitor process asks of bitcoind, answered from given blocks up to the height a test shows. It takes
 * every transaction and does nothing with it. No rules of its own; a method it does not know it refuses.
 */
import { writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { assert, must } from "@farwatch/protocol/assert";
import { reversed, toHex } from "@farwatch/protocol/bytes";
import {
  callOf,
  idOf,
  serve,
  type LocalHttp,
} from "@farwatch/monitor-service/chain/testing/local-http";
import type { ChainBlock } from "./rebuilt-chain.js";

/** bitcoind: "Block not found", "Block height out of range", "Method not found". */
const NOT_FOUND = { code: -5, message: "Block not found" };
const OUT_OF_RANGE = { code: -8, message: "Block height out of range" };
const UNKNOWN_METHOD = { code: -32601, message: "Method not found" };
/** Where a test, or the node it runs, POSTs {"height": n}. */
const CONTROL_PATH = "/height";

type Answer = { readonly result: unknown } | { readonly error: typeof NOT_FOUND };

export class RecordedBitcoind {
  #height: number;
  #http: LocalHttp | undefined;
  readonly #byHash: ReadonlyMap<string, ChainBlock>;
  /** Transactions that were offered, as hex. */
  readonly offered: string[] = [];
  readonly zmqHashblock = undefined;
  /** Nothing here asks for it. */
  readonly wallet = { name: "none" };

  private constructor(
    private readonly blocks: readonly ChainBlock[],
    height: number,
    readonly cookiePath: string,
  ) {
    this.#height = height;
    this.#byHash = new Map(blocks.map((block) => [block.header.hash, block]));
  }

  /** Shows `blocks`, which start at genesis, up to that height. `folder`: for its cookie file. */
  static async start(
    blocks: readonly ChainBlock[],
    height: number,
    folder: string,
  ): Promise<RecordedBitcoind> {
    const cookie = path.join(folder, "recorded.cookie");
    writeFileSync(cookie, "__cookie__:recorded", { mode: 0o600 });
    const chain = new RecordedBitcoind(blocks, height, cookie);
    chain.#http = await serve((request, response, body) => chain.#serve(request, response, body));
    return chain;
  }

  get rpcUrl(): string {
    return must(this.#http, "a running server").url;
  }
  get controlUrl(): string {
    return `${this.rpcUrl}${CONTROL_PATH}`;
  }
  async stop(): Promise<void> {
    await this.#http?.close();
  }

  #serve({ url }: IncomingMessage, response: ServerResponse, body: string): void {
    if (url === CONTROL_PATH) {
      const { height } = JSON.parse(body);
      assert(height in this.blocks, "a height of the chain");
      this.#height = height;
      response.end();
      return;
    }
    if (url !== "/") {
      response.writeHead(404).end(); // REST is off
      return;
    }
    const { method, params } = callOf(body);
    const answer = this.#answer(String(method), Array.isArray(params) ? params : []);
    response.writeHead("error" in answer ? 500 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: idOf(body), ...answer }));
  }

  #answer(method: string, [first]: readonly unknown[]): Answer {
    switch (method) {
      case "getblockchaininfo": {
        const { hash } = must(this.#at(this.#height), "a block").header;
        return { result: { chain: "regtest", blocks: this.#height, bestblockhash: hash } };
      }
      case "getblockhash": {
        const block = this.#at(Number(first));
        return block === undefined ? { error: OUT_OF_RANGE } : { result: block.header.hash };
      }
      case "getblockheader":
        return this.#ofBlock(String(first), headerOf);
      case "getblock":
        return this.#ofBlock(String(first), ({ raw }) => toHex(raw));
      case "sendrawtransaction":
        this.offered.push(String(first));
        return { result: null };
      case "getmempoolinfo":
        return { result: { mempoolminfee: 0.00001 } };
      case "estimatesmartfee":
        return { result: {} };
      case "gettxspendingprevout":
        return { result: [{}] };
      case "gettxout":
        return { result: null };
      case "getrawtransaction":
        return { error: NOT_FOUND };
      default:
        return { error: UNKNOWN_METHOD };
    }
  }

  #at(height: number): ChainBlock | undefined {
    return height > this.#height ? undefined : this.blocks[height];
  }

  #ofBlock(hash: string, read: (block: ChainBlock) => unknown): Answer {
    const block = this.#byHash.get(hash);
    return block === undefined ? { error: NOT_FOUND } : { result: read(block) };
  }
}

/** Of getblockheader, what its reader puts the 80 bytes together from. */
function headerOf({ header, raw }: ChainBlock): unknown {
  const { hash, height, previousHash, time, bits } = header;
  const view = new DataView(raw.buffer, raw.byteOffset);
  return {
    hash,
    height,
    version: view.getInt32(0, true),
    ...(height > 0 && { previousblockhash: previousHash }),
    merkleroot: toHex(reversed(header.merkleRoot)),
    time,
    bits: bits.toString(16).padStart(8, "0"),
    nonce: view.getUint32(76, true),
  };
}
