/**
 * A private regtest chain that keeps every block of a recording. Everything but start and stop is
 * synchronous, because LDK's callbacks are (sync-rpc.ts).
 */
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { RpcRefusal } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import type { Transaction } from "bitcoinjs-lib";
import { Block } from "bitcoinjs-lib";
import { z } from "zod";
import { startRegtest, type Regtest } from "../../harness/bitcoind/node.js";
import type { RecordedBlock } from "../fixture/document.js";
import { SyncRpc } from "./sync-rpc.js";

/** The wallet that mines and pays for everything that is not a node's own. */
export const MINER = "miner";
/** A coinbase can be spent in the 101st block; some more, so that several can be spent. */
const FIRST_BLOCKS = 105;
const ANY_FEERATE = 0;

export interface Tip {
  readonly height: number;
  readonly hash: string;
}

/** What bitcoind said of a transaction. One it has already counts as taken. */
export interface Verdict {
  readonly ok: boolean;
  readonly error?: string;
}

const Text = z.string();
const Texts = z.array(z.string());
const Info = z.object({ subversion: z.string() });

export class RecordedChain {
  /** The best chain since recording began, oldest first. */
  readonly blocks: RecordedBlock[] = [];
  #address = "";

  private constructor(
    private readonly bitcoind: Regtest,
    readonly rpc: SyncRpc,
    readonly version: string,
  ) {}

  static async start(extraBlocks: number): Promise<RecordedChain> {
    const bitcoind = await startRegtest({ rest: false });
    const { user, password } = bitcoind.plan;
    const rpc = new SyncRpc({ url: bitcoind.rpcUrl, user, password });
    const chain = new RecordedChain(bitcoind, rpc, rpc.ask(Info, "getnetworkinfo").subversion);
    chain.createWallet(MINER);
    chain.#address = chain.newAddress(MINER);
    rpc.ask(Texts, "generatetoaddress", [FIRST_BLOCKS + extraBlocks, chain.#address]);
    return chain;
  }

  async stop(): Promise<void> {
    await this.rpc.close();
    await this.bitcoind.stop();
  }

  tip(): Tip {
    const height = this.rpc.ask(z.number(), "getblockcount");
    return { height, hash: this.rpc.ask(Text, "getblockhash", [height]) };
  }

  timeOf(block: string): number {
    return this.rpc.ask(z.object({ time: z.number() }), "getblockheader", [block]).time;
  }

  /** Mines what the mempool holds. */
  mine(count: number): RecordedBlock[] {
    return this.#keep(this.rpc.ask(Texts, "generatetoaddress", [count, this.#address]));
  }

  /** One block with exactly these transactions (raw, or txid of one in the mempool). */
  mineExactly(transactions: readonly string[]): RecordedBlock {
    const form = z.object({ hash: z.string() });
    const { hash } = this.rpc.ask(form, "generateblock", [this.#address, transactions]);
    return must(this.#keep([hash])[0], "the block just mined");
  }

  /** Takes the newest blocks off the best chain and returns them, newest first. */
  reorganize(depth: number): RecordedBlock[] {
    const gone = this.blocks.splice(-depth).reverse();
    this.rpc.ask(z.null(), "invalidateblock", [must(gone.at(-1), "a block to remove").hash]);
    this.#address = this.newAddress(MINER); // else the next blocks could be the same ones again
    return gone;
  }

  send(raw: string): Verdict {
    try {
      this.rpc.ask(Text, "sendrawtransaction", [raw, ANY_FEERATE]);
      return { ok: true };
    } catch (error) {
      if (!(error instanceof RpcRefusal)) throw error;
      return { ok: error.message.includes("already"), error: error.message };
    }
  }

  createWallet(name: string): void {
    this.rpc.ask(z.unknown(), "createwallet", [name]);
  }

  newAddress(wallet: string): string {
    return this.rpc.ask(Text, "getnewaddress", ["", "bech32"], wallet);
  }

  /** The miner pays into a wallet; confirmed by the next block. */
  pay(wallet: string, amountSat: number): void {
    const amount = (amountSat / 1e8).toFixed(8);
    this.rpc.ask(Text, "sendtoaddress", [this.newAddress(wallet), amount], MINER);
  }

  #keep(hashes: readonly string[]): RecordedBlock[] {
    const raws = this.rpc.askEach(
      Text,
      "getblock",
      hashes.map((hash) => [hash, 0]),
    );
    const before = this.tip().height - hashes.length;
    const blocks = raws.map((raw, nth) => recordedBlock(raw, before + 1 + nth));
    this.blocks.push(...blocks);
    return blocks;
  }
}

export function recordedBlock(raw: string, height: number): RecordedBlock {
  const block = Block.fromHex(raw);
  const txids = must(block.transactions, "transactions").map((tx) => tx.getId());
  return { height, hash: block.getId(), header: toHex(block.toBuffer(true)), raw, txids };
}

/** Outpoints a raw transaction spends, as "txid:vout". */
export const inputsOf = (tx: Transaction): string[] =>
  tx.ins.map((input) => `${toHex(Uint8Array.from(input.hash).reverse())}:${input.index}`);
