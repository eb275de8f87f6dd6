/**
 * The wallet of a regtest node: created when first used, funded by mining when first spent from.
 * It pays any script, so tests can fund channels and fee reserves.
 */
import { assert, must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { RpcRefusal } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { Transaction } from "bitcoinjs-lib";

const NAME = "harness";
/** A coinbase can be spent in the 101st block. */
const MATURITY_BLOCKS = 101;
const WALLET_NOT_FOUND = -18;
const WALLET_ALREADY_LOADED = -35;
/** Left for fees when deciding whether the balance is enough. */
const FEE_RESERVE_SAT = 1_000_000n;

type Call = (method: string, params: readonly unknown[], wallet?: string) => Promise<unknown>;

export interface Funding {
  readonly txid: string;
  readonly vout: number;
  readonly amountSat: bigint;
  readonly rawTx: Uint8Array;
}

export class RegtestWallet {
  readonly name = NAME;
  #address: string | undefined;

  constructor(private readonly call: Call) {}

  /** A wallet call; creates or loads the wallet first when it is not there. */
  async rpc(method: string, params: readonly unknown[] = []): Promise<unknown> {
    try {
      return await this.call(method, params, NAME);
    } catch (error) {
      if (!(error instanceof RpcRefusal) || error.code !== WALLET_NOT_FOUND) throw error;
    }
    await this.#createOrLoad();
    return this.call(method, params, NAME);
  }

  async getNewAddress(): Promise<string> {
    return String(await this.rpc("getnewaddress"));
  }

  /** The same address every time, so that mining stays cheap. */
  async miningAddress(): Promise<string> {
    this.#address ??= await this.getNewAddress();
    return this.#address;
  }

  /** The next call of miningAddress gives a new one. */
  forgetMiningAddress(): void {
    this.#address = undefined;
  }

  /** Pays the script or address from mined coins and leaves the transaction in the mempool. */
  async fund(to: Uint8Array | string, amountSat: bigint): Promise<Funding> {
    const script = typeof to === "string" ? await this.#scriptOf(to) : to;
    await this.#ensureBalance(amountSat + FEE_RESERVE_SAT);
    const draft = new Transaction();
    draft.version = 2;
    draft.addOutput(script, amountSat);
    const options = { changePosition: 1, lockUnspents: true };
    const funded = await this.rpc("fundrawtransaction", [draft.toHex(), options, false]);
    const signed = await this.rpc("signrawtransactionwithwallet", [hexOf(funded)]);
    const rawTx = hexOf(signed);
    const txid = String(await this.call("sendrawtransaction", [rawTx]));
    return { txid, vout: 0, amountSat, rawTx: fromHex(rawTx) };
  }

  async #ensureBalance(needed: bigint): Promise<void> {
    for (let round = 0; round < 5; round++) {
      const balance = Number(await this.rpc("getbalance"));
      if (BigInt(Math.round(balance * 1e8)) >= needed) return;
      await this.call("generatetoaddress", [MATURITY_BLOCKS, await this.miningAddress()]);
    }
    throw new Error(`the regtest wallet cannot reach ${needed} sat`);
  }

  async #scriptOf(address: string): Promise<Uint8Array> {
    const answer = await this.call("validateaddress", [address]);
    assert(typeof answer === "object" && answer !== null && "scriptPubKey" in answer, "address");
    return fromHex(String(answer.scriptPubKey));
  }

  async #createOrLoad(): Promise<void> {
    try {
      await this.call("loadwallet", [NAME]);
    } catch (error) {
      if (!(error instanceof RpcRefusal)) throw error;
      if (error.code === WALLET_ALREADY_LOADED) return;
      if (error.code !== WALLET_NOT_FOUND) throw error;
      await this.call("createwallet", [NAME]);
    }
  }
}

function hexOf(answer: unknown): string {
  assert(typeof answer === "object" && answer !== null && "hex" in answer, "an answer with hex");
  return toHex(fromHex(String(must(answer.hex, "hex"))));
}
