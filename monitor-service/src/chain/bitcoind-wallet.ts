/**
 * FeeWallet over one named wallet of bitcoind, which must be loaded and unlocked. bitcoind chooses coins
 * and change for a payment of what our part of the transaction costs; the transaction itself is put
 * together here, because bitcoind can neither look up the output of a commitment that its mempool
 * refused, nor pay for that commitment. Locks are in bitcoind's memory: it unlocks coins when they are
 * spent and when it restarts, so they are asked for again before each choice.
 */
import type { Sat } from "@farwatch/protocol/amount";
import { toHex } from "@farwatch/protocol/bytes";
import {
  outpointKey,
  txid as toTxid,
  txidToInternal,
  type Outpoint,
  type Txid,
} from "@farwatch/protocol/ids";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { Transaction } from "bitcoinjs-lib";
import type { FundedTx } from "../tx/funded-tx.js";
import {
  assemble,
  coinsMustBring,
  NOTHING_SCRIPT,
  plannedWeight,
  type FundingPlan,
  type PlannedInput,
  type PlannedOutput,
  type WalletInput,
} from "../tx/funding-plan.js";
import { RBF_SEQUENCE } from "../tx/claim.js";
import { parseTx, type ParsedTx } from "../tx/parsed-tx.js";
import { bytesOf, fieldsOf, hashOf, listOf, outputOf, satOf } from "./answers.js";
import { RpcRefusal, type BitcoindRpc } from "./bitcoind-rpc.js";
import { ChainUnavailable } from "./chain-source.js";
import type { CoinUse, FeeWallet } from "./fee-wallet.js";

/** Behind the payment to NOTHING_SCRIPT. */
const CHANGE_POSITION = 1;
/** An unconfirmed parent of a coin could keep the claim out of blocks (onchain-engine 9.11). */
const MIN_CONFIRMATIONS = 1;
/** 1 sat/vB is 250 sat per 1000 weight units; bitcoind takes three decimals, so this is exact. */
const PER_KW_IN_ONE_SAT_PER_VB = 250;
const SAT_PER_BTC = 1e8;
/** BIP 431, whose limits on weight bitcoind knows since it limits what it funds (28.0). */
const TRUC_VERSION = 3;

interface Chosen {
  readonly coins: readonly WalletInput[];
  readonly change: PlannedOutput | undefined;
}

export class BitcoindWallet implements FeeWallet {
  readonly #rpc: Pick<BitcoindRpc, "call">;
  readonly #wallet: string;

  constructor(rpc: Pick<BitcoindRpc, "call">, wallet: string) {
    this.#rpc = rpc;
    this.#wallet = wallet;
  }

  async fund(plan: FundingPlan, use: CoinUse): Promise<Result<FundedTx, string>> {
    try {
      await this.keep(use.others);
      const chosen = await this.#choose(plan, await this.#confirmed(use.own));
      if (!chosen.ok) return chosen;
      const { coins, change } = chosen.value;
      const draft = assemble(plan, coins, change);
      return ok({ rawTx: await this.#sign(draft, plan.inputs), walletInputs: coins });
    } catch (error) {
      if (!(error instanceof RpcRefusal)) throw error;
      return err(`${error.method}: ${error.message}`);
    }
  }

  /** One by one: bitcoind locks all of a list or nothing, and a spent coin is refused. */
  async keep(coins: readonly Outpoint[]): Promise<void> {
    if (coins.length === 0) return;
    const what = "listlockunspent";
    const locked = new Set(
      listOf(await this.#call(what, []), what).map((item) => {
        const { txid, vout } = fieldsOf(item, what);
        return outpointKey({ txid: toTxid(hashOf(txid, what)), vout: Number(vout) });
      }),
    );
    for (const { txid, vout } of coins) {
      if (locked.has(outpointKey({ txid, vout }))) continue;
      await this.#unlessRefused("lockunspent", [false, [{ txid, vout }]]);
    }
  }

  /** A coin counts as spent for the wallet until the transaction that was sent is abandoned. */
  async release(txid: Txid, coins: readonly Outpoint[]): Promise<void> {
    await this.#unlessRefused("abandontransaction", [txid]);
    for (const { txid: of, vout } of coins) {
      await this.#unlessRefused("lockunspent", [true, [{ txid: of, vout }]]);
    }
  }

  async confirmedSat(): Promise<Sat> {
    return satOf(await this.#call("getbalance", ["*", MIN_CONFIRMATIONS]), "getbalance");
  }

  async #choose(plan: FundingPlan, own: readonly WalletInput[]): Promise<Result<Chosen, string>> {
    const payment = new Transaction();
    payment.version = plan.version;
    for (const { outpoint } of own) {
      payment.addInput(txidToInternal(outpoint.txid), outpoint.vout, RBF_SEQUENCE);
    }
    payment.addOutput(NOTHING_SCRIPT, coinsMustBring(plan));
    const options = {
      fee_rate: plan.feeratePerKw / PER_KW_IN_ONE_SAT_PER_VB,
      changePosition: CHANGE_POSITION,
      minconf: MIN_CONFIRMATIONS,
      replaceable: true,
      ...(plan.version === TRUC_VERSION
        ? { max_tx_weight: Math.max(0, plan.maxWeight - plannedWeight(plan)) }
        : {}),
    };
    const answer = await this.#call("fundrawtransaction", [payment.toHex(), options, false]);
    const funded = readTx(bytesOf(fieldsOf(answer, "fundrawtransaction")["hex"], "fundraw"));
    const outpoints = funded.inputs.map(({ outpoint }) => outpoint);
    const coins = await this.#confirmed(outpoints);
    if (coins.length < outpoints.length) return err("a chosen coin is not confirmed");
    const change = funded.outputs[CHANGE_POSITION];
    return ok({ coins, change });
  }

  /** Those that are in the chain and unspent there, whatever the mempool says. */
  async #confirmed(coins: readonly Outpoint[]): Promise<readonly WalletInput[]> {
    const values = await Promise.all(
      coins.map(async (outpoint): Promise<readonly WalletInput[]> => {
        const { txid, vout } = outpoint;
        const answer = await this.#rpc.call("gettxout", [txid, vout, false]);
        if (answer === null) return [];
        return [{ outpoint, valueSat: outputOf(fieldsOf(answer, "gettxout")).valueSat }];
      }),
    );
    return values.flat();
  }

  /**
   * "complete" stays false: our inputs are not the wallet's to sign. What they spend is told, because
   * bitcoind may not know it and a taproot coin's signature covers it.
   */
  async #sign(tx: Transaction, inputs: readonly PlannedInput[]): Promise<Uint8Array> {
    const spent = inputs.map(({ outpoint, scriptPubkey, valueSat }) => ({
      txid: outpoint.txid,
      vout: outpoint.vout,
      scriptPubKey: toHex(scriptPubkey),
      amount: (Number(valueSat) / SAT_PER_BTC).toFixed(8),
    }));
    const what = "signrawtransactionwithwallet";
    const answer = await this.#call(what, [tx.toHex(), spent]);
    return Uint8Array.from(bytesOf(fieldsOf(answer, what)["hex"], what));
  }

  /** A refusal means that there is nothing to do: never sent, confirmed, spent, or done before. */
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

function readTx(raw: Uint8Array): ParsedTx {
  try {
    return parseTx(raw);
  } catch (cause) {
    throw new ChainUnavailable("bitcoind's answer is malformed: fundrawtransaction", { cause });
  }
}
