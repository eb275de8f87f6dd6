/**
 * FeeWallet over one named wallet of bitcoind, which must be loaded and unlocked. Coins are locked in
 * bitcoind's memory while a transaction of ours uses them; bitcoind unlocks them when they are spent
 * and when it restarts.
 */
import { sat, type FeeratePerKw, type Sat } from "@farwatch/protocol/amount";
import { toHex } from "@farwatch/protocol/bytes";
import type { Outpoint } from "@farwatch/protocol/ids";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { FundedTx, WalletInput } from "../tx/funded-htlc.js";
import { parseTx } from "../tx/parsed-tx.js";
import { bytesOf, fieldsOf } from "./answers.js";
import { RpcRefusal, type BitcoindRpc } from "./bitcoind-rpc.js";
import { ChainUnavailable } from "./chain-source.js";
import type { FeelessDraft, FeeWallet } from "./fee-wallet.js";

/** Behind the output the counterparty's signature covers. */
const CHANGE_POSITION = 1;
/** An unconfirmed parent of a coin could keep the claim out of blocks (onchain-engine 9.11). */
const MIN_CONFIRMATIONS = 1;
/** 1 sat/vB is 250 sat per 1000 weight units; bitcoind takes three decimals, so this is exact. */
const PER_KW_IN_ONE_SAT_PER_VB = 250;
const SAT_PER_BTC = 1e8;

export class BitcoindWallet implements FeeWallet {
  readonly #rpc: Pick<BitcoindRpc, "call">;
  readonly #wallet: string;

  constructor(rpc: Pick<BitcoindRpc, "call">, wallet: string) {
    this.#rpc = rpc;
    this.#wallet = wallet;
  }

  async fund(draft: FeelessDraft, feerate: FeeratePerKw): Promise<Result<FundedTx, string>> {
    try {
      const rawTx = await this.#addInputs(draft, feerate);
      const inputs = readInputs(rawTx);
      const coins = inputs.slice(1); // input 0 is the draft's
      return await this.#keeping(inputs, async () => {
        const valueSat = await Promise.all(coins.map((coin) => this.#confirmedValue(coin)));
        const walletInputs = coins.flatMap((outpoint, index): WalletInput[] => {
          const value = valueSat[index];
          return value === undefined ? [] : [{ outpoint, valueSat: value }];
        });
        if (walletInputs.length < coins.length) return err("a chosen coin is not confirmed");
        return ok({ rawTx: await this.#sign(rawTx), walletInputs });
      });
    } catch (error) {
      if (!(error instanceof RpcRefusal)) throw error;
      return err(`${error.method}: ${error.message}`);
    }
  }

  /** A coin counts as spent for the wallet until the transaction that was sent is abandoned. */
  async release({ rawTx }: FundedTx): Promise<void> {
    await this.#unlessRefused("abandontransaction", [parseTx(rawTx).txid]);
    await this.#unlock(readInputs(rawTx));
  }

  async #addInputs(
    { draft, outpoint, inputWeight }: FeelessDraft,
    feerate: FeeratePerKw,
  ): Promise<Uint8Array> {
    const options = {
      fee_rate: feerate / PER_KW_IN_ONE_SAT_PER_VB,
      changePosition: CHANGE_POSITION,
      minconf: MIN_CONFIRMATIONS,
      lockUnspents: true,
      replaceable: true,
      input_weights: [{ txid: outpoint.txid, vout: outpoint.vout, weight: inputWeight }],
    };
    const answer = await this.#call("fundrawtransaction", [toHex(draft), options, false]);
    return bytesOf(fieldsOf(answer, "fundrawtransaction")["hex"], "fundrawtransaction");
  }

  /**
   * Gives the coins back when the work does not end with a transaction. bitcoind locks every input,
   * the draft's too.
   */
  async #keeping(
    inputs: readonly Outpoint[],
    work: () => Promise<Result<FundedTx, string>>,
  ): Promise<Result<FundedTx, string>> {
    let kept = false;
    try {
      const result = await work();
      kept = result.ok;
      return result;
    } finally {
      if (!kept) await this.#unlock(inputs);
    }
  }

  /** undefined: the chain has no such unspent coin. */
  async #confirmedValue({ txid, vout }: Outpoint): Promise<Sat | undefined> {
    const answer = await this.#rpc.call("gettxout", [txid, vout, false]);
    if (answer === null) return undefined;
    const value = fieldsOf(answer, "gettxout")["value"];
    if (typeof value !== "number" || value < 0) throw malformed("gettxout");
    return sat(Math.round(value * SAT_PER_BTC));
  }

  /** "complete" stays false: input 0 is not the wallet's to sign. */
  async #sign(rawTx: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#call("signrawtransactionwithwallet", [toHex(rawTx)]);
    const what = "signrawtransactionwithwallet";
    return Uint8Array.from(bytesOf(fieldsOf(answer, what)["hex"], what));
  }

  /** One by one: bitcoind unlocks all of a list or nothing, and a spent coin is refused. */
  async #unlock(coins: readonly Outpoint[]): Promise<void> {
    for (const { txid, vout } of coins) {
      await this.#unlessRefused("lockunspent", [true, [{ txid, vout }]]);
    }
  }

  /** A refusal means that there is nothing to give back: never sent, confirmed, or spent. */
  async #unlessRefused(method: string, params: readonly unknown[]): Promise<void> {
    try {
      await this.#call(method, params);
    } catch (error) {
      if (!(error instanceof RpcRefusal)) throw error;
    }
  }

  #call(method: string, params: readonly unknown[]): Promise<unknown> {
    return this.#rpc.call(method, params, { wallet: this.#wallet });
  }
}

const malformed = (what: string, options: ErrorOptions = {}): ChainUnavailable =>
  new ChainUnavailable(`bitcoind's answer is malformed: ${what}`, options);

function readInputs(rawTx: Uint8Array): readonly Outpoint[] {
  try {
    return parseTx(rawTx).inputs.map(({ outpoint }) => outpoint);
  } catch (cause) {
    throw malformed("fundrawtransaction", { cause });
  }
}
