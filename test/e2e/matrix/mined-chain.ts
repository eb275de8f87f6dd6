/**
 * What bitcoind's best chain holds, by outpoint: the test's own look at it, so that nothing the monitor
 * says is taken for a fact. Coinbases are left out.
 */
import { Block, type Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import {
  outpointKey,
  txid,
  txidFromInternal,
  type Outpoint,
  type Txid,
} from "@farwatch/protocol/ids";
import type { Regtest } from "../../harness/bitcoind/node.js";

export interface MinedTx {
  readonly txid: Txid;
  readonly tx: Transaction;
}

interface SeenBlock {
  readonly hash: string;
  readonly txs: readonly MinedTx[];
}

export class MinedChain {
  /** Lowest first; starts with the first block read. */
  readonly #blocks: SeenBlock[] = [];
  readonly #txs = new Map<Txid, MinedTx>();
  readonly #spenders = new Map<string, MinedTx>();

  constructor(private readonly node: Regtest) {}

  /** Catches up with bitcoind's best chain, through reorganisations. */
  async read(): Promise<void> {
    const fresh: SeenBlock[] = [];
    let hash = await this.node.bestHash();
    let common = this.#blocks.findIndex((block) => block.hash === hash);
    while (common < 0) {
      const block = Block.fromHex(String(await this.node.rpc("getblock", [hash, 0])));
      fresh.unshift({ hash, txs: (block.transactions ?? []).slice(1).map(minedOf) });
      if (this.#blocks.length === 0) break;
      hash = txidFromInternal(must(block.prevHash, "previous block"));
      common = this.#blocks.findIndex(({ hash: seen }) => seen === hash);
    }
    const lost = this.#blocks.splice(common + 1);
    this.#blocks.push(...fresh);
    if (lost.length > 0) this.#forget();
    this.#index(lost.length > 0 ? this.#blocks : fresh);
  }

  tx(id: Txid): MinedTx | undefined {
    return this.#txs.get(id);
  }

  spenderOf(outpoint: Outpoint): MinedTx | undefined {
    return this.#spenders.get(outpointKey(outpoint));
  }

  #forget(): void {
    this.#txs.clear();
    this.#spenders.clear();
  }

  #index(blocks: readonly SeenBlock[]): void {
    for (const mined of blocks.flatMap(({ txs }) => txs)) {
      this.#txs.set(mined.txid, mined);
      for (const input of inputsOf(mined.tx)) this.#spenders.set(outpointKey(input), mined);
    }
  }
}

const minedOf = (tx: Transaction): MinedTx => ({ txid: txid(tx.getId()), tx });

export const inputsOf = (tx: Transaction): readonly Outpoint[] =>
  tx.ins.map(({ hash, index }) => ({ txid: txidFromInternal(hash), vout: index }));
