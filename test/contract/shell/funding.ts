/** A transaction that pays a funding output, for channels on the chain in memory. */
import { Transaction } from "bitcoinjs-lib";
import { txid, type Outpoint } from "@farwatch/protocol/ids";

export function fundingTx(
  scriptPubkey: Uint8Array,
  valueSat: bigint,
  number = 1,
): { readonly raw: Uint8Array; readonly outpoint: Outpoint } {
  const tx = new Transaction();
  tx.version = 2;
  tx.addInput(new Uint8Array(32).fill(number), 0);
  tx.addOutput(scriptPubkey, valueSat);
  return { raw: Uint8Array.from(tx.toBuffer()), outpoint: { txid: txid(tx.getId()), vout: 0 } };
}
