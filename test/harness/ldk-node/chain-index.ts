/** Every transaction of the best chain from some height on, and who spent what. No reorganisations. */
import { blockAt, type BlockTx } from "../cluster/chain-facts.js";
import type { Regtest } from "../bitcoind/node.js";

export const toSat = (btc: number): bigint => BigInt(Math.round(btc * 1e8));

export class ChainIndex {
  readonly #transactions = new Map<string, BlockTx>();
  /** Outpoint to the txid of its spender. */
  readonly #spends = new Map<string, string>();
  readonly #owners = new Map<string, string | undefined>();

  constructor(
    private readonly bitcoind: Regtest,
    private next: number,
    /** Names of those whose wallets are asked whether a script is theirs. */
    private readonly wallets: ReadonlyMap<string, string>,
  ) {}

  /** One reading at a time, shared by all who ask meanwhile. */
  update(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }
  #reading: Promise<void> | undefined;

  async #read(): Promise<void> {
    const tip = await this.bitcoind.height();
    for (; this.next <= tip; this.next++) {
      for (const tx of (await blockAt(this.bitcoind, this.next)).tx) {
        this.#transactions.set(tx.txid, tx);
        for (const { txid, vout } of tx.vin) {
          if (txid !== undefined) this.#spends.set(`${txid}:${vout}`, tx.txid);
        }
      }
    }
  }

  transaction(txid: string): BlockTx | undefined {
    return this.#transactions.get(txid);
  }

  spenderOf(outpoint: string): BlockTx | undefined {
    const txid = this.#spends.get(outpoint);
    return txid === undefined ? undefined : this.#transactions.get(txid);
  }

  /** Whose wallet has this script. */
  async ownerOf(script: string): Promise<string | undefined> {
    if (!this.#owners.has(script)) this.#owners.set(script, await this.#askWallets(script));
    return this.#owners.get(script);
  }

  async #askWallets(script: string): Promise<string | undefined> {
    const decoded = await this.bitcoind.rpc("decodescript", [script]);
    const address = fieldOf(decoded, "address");
    if (typeof address !== "string") return undefined;
    for (const [name, wallet] of this.wallets) {
      const info = await this.bitcoind.rpc("getaddressinfo", [address], wallet);
      if (fieldOf(info, "ismine") === true) return name;
    }
    return undefined;
  }
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, field) : undefined;
}
