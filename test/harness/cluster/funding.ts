/** Funding transactions from the wallet of a regtest bitcoind. */
import { address, networks, Transaction } from "bitcoinjs-lib";
import { z } from "zod";
import type { Sat } from "@farwatch/protocol/amount";
import { equalBytes } from "@farwatch/protocol/bytes";
import { txid } from "@farwatch/protocol/ids";
import type { Regtest } from "../bitcoind/node.js";
import type { Funder } from "../routing/link.js";

/** Deep enough that no test's reorg reaches the funding. */
export const FUNDING_DEPTH = 6;

/** Confirms what it publishes. */
export const regtestFunder = (bitcoind: Regtest): Funder => ({
  async prepare(scriptPubkey, amountSat) {
    const signed = await signFunding(bitcoind, scriptPubkey, amountSat);
    return {
      funding: { txid: txid(signed.txid), vout: signed.vout },
      async publish() {
        await bitcoind.rpc("sendrawtransaction", [signed.rawTx]);
        await bitcoind.mine(FUNDING_DEPTH);
      },
    };
  },
});

/** A signed funding transaction that nobody has seen yet. */
export async function signFunding(bitcoind: Regtest, script: Uint8Array, amountSat: Sat) {
  const to = address.fromOutputScript(script, networks.regtest);
  const { wallet } = bitcoind;
  const funded = await wallet.rpc("walletcreatefundedpsbt", [
    [],
    [{ [to]: Number(amountSat) / 1e8 }],
  ]);
  const { psbt } = z.object({ psbt: z.string() }).parse(funded);
  const signed = z
    .object({ psbt: z.string() })
    .parse(await wallet.rpc("walletprocesspsbt", [psbt]));
  const { hex: rawTx } = z
    .object({ hex: z.string() })
    .parse(await bitcoind.rpc("finalizepsbt", [signed.psbt]));
  const tx = Transaction.fromHex(rawTx);
  const vout = tx.outs.findIndex((output) => equalBytes(output.script, script));
  return { rawTx, txid: tx.getId(), vout };
}
