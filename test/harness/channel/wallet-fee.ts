/**
 * Gives a second-stage transaction of an anchor channel its fee from a regtest wallet: the peer signed
 * only input and output 0 (SIGHASH_SINGLE | ANYONECANPAY), so a wallet input and its change may follow.
 */
import { Transaction } from "bitcoinjs-lib";
import { z } from "zod";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { txid, txidToInternal, type Outpoint } from "@farwatch/protocol/ids";
import { bytesOf, type SecondStageDraft } from "./broadcast.js";

/** BIP 125: replaceable. */
const REPLACEABLE = 0xfffffffd;
/** Change below this is dust for every script the wallet uses. */
const LOWEST_CHANGE_SAT = 1_000n;
const SAT_PER_BTC = 1e8;
/** The only scripts whose signature does not cover what the other inputs spend. */
const P2WPKH_PREFIX = "0014";

/** Wallet calls of a regtest node (test/harness/bitcoind). */
export interface WalletRpc {
  rpc(method: string, params?: readonly unknown[]): Promise<unknown>;
}

const unspents = z.array(
  z.object({
    txid: z.string(),
    vout: z.number(),
    amount: z.number(),
    scriptPubKey: z.string(),
    spendable: z.boolean(),
  }),
);
const addressInfo = z.object({ scriptPubKey: z.string() });
const signedTx = z.object({ hex: z.string() });

/** A confirmed coin, locked in the wallet, and where its change goes. */
export interface TakenCoin {
  readonly outpoint: Outpoint;
  readonly valueSat: bigint;
  readonly changeScript: Uint8Array;
  /** Signs this coin's input; the others are left as they are. */
  sign(tx: Transaction): Promise<Transaction>;
}

/** One that can pay the fee and leave change. */
export async function takeCoin(wallet: WalletRpc, feeSat: bigint): Promise<TakenCoin> {
  const coins = unspents.parse(await wallet.rpc("listunspent", [1]));
  const inSat = (amount: number): bigint => BigInt(Math.round(amount * SAT_PER_BTC));
  const coin = must(
    coins.find(
      ({ spendable, scriptPubKey, amount }) =>
        spendable &&
        scriptPubKey.startsWith(P2WPKH_PREFIX) &&
        inSat(amount) >= feeSat + LOWEST_CHANGE_SAT,
    ),
    "a confirmed P2WPKH coin in the regtest wallet",
  );
  await wallet.rpc("lockunspent", [false, [{ txid: coin.txid, vout: coin.vout }]]);
  const address = await wallet.rpc("getrawchangeaddress", ["bech32"]);
  const change = addressInfo.parse(await wallet.rpc("getaddressinfo", [address]));
  return {
    outpoint: { txid: txid(coin.txid), vout: coin.vout },
    valueSat: inSat(coin.amount),
    changeScript: fromHex(change.scriptPubKey),
    sign: async (tx) => {
      const answer = await wallet.rpc("signrawtransactionwithwallet", [tx.toHex()]);
      return Transaction.fromHex(signedTx.parse(answer).hex);
    },
  };
}

/** Adds one confirmed wallet coin and change, pays `feeSat`, and returns the signed transaction. */
export async function withWalletFee(
  wallet: WalletRpc,
  draft: SecondStageDraft,
  feeSat: bigint,
): Promise<Uint8Array> {
  const coin = await takeCoin(wallet, feeSat);
  const tx = draft.tx.clone();
  tx.addInput(txidToInternal(coin.outpoint.txid), coin.outpoint.vout, REPLACEABLE);
  tx.addOutput(coin.changeScript, coin.valueSat - feeSat);
  const final = await coin.sign(tx);
  draft.finish(final);
  return bytesOf(final);
}
