/**
 * The child that pays for a zero-fee commitment: spends the shared anchor, which needs no signature, with
 * a coin of a regtest wallet (BIP 431: version 3, one unconfirmed parent, at most 1000 vbytes).
 */
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { txidToInternal } from "@farwatch/protocol/ids";
import { bytesOf } from "./broadcast.js";
import type { SignedCommitment } from "./commitment.js";
import { takeCoin, type WalletRpc } from "./wallet-fee.js";

const TRUC_VERSION = 3;
/** BIP 125: replaceable. */
const REPLACEABLE = 0xfffffffd;

/** Pays `feeSat` for both; refuses a commitment without a shared anchor. */
export async function anchorChild(
  wallet: WalletRpc,
  { built }: SignedCommitment,
  feeSat: bigint,
): Promise<Uint8Array> {
  const vout = must(built.sharedAnchorIndex, "a shared anchor");
  const anchorSat = must(built.tx.outs[vout], "anchor").value;
  const coin = await takeCoin(wallet, feeSat);
  const tx = new Transaction();
  tx.version = TRUC_VERSION;
  tx.addInput(txidToInternal(built.txid), vout, REPLACEABLE);
  tx.addInput(txidToInternal(coin.outpoint.txid), coin.outpoint.vout, REPLACEABLE);
  tx.addOutput(coin.changeScript, anchorSat + coin.valueSat - feeSat);
  return bytesOf(await coin.sign(tx));
}
