/**
 * A mempool that is full: transactions of about 100 kvB each that pay more than a commitment does, until
 * bitcoind's own lowest feerate is above what the commitment pays. Needs -maxmempool=5 and mined coins.
 */
import { z } from "zod";
import { Transaction } from "bitcoinjs-lib";
import { assert, must } from "@farwatch/protocol/assert";
import { txid, txidToInternal } from "@farwatch/protocol/ids";
import { RpcRefusal } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import type { Regtest } from "../harness/bitcoind/node.js";

const OUTPUTS = 3_100;
const OUTPUT_SAT = 1_000n;
/** Of one transaction with so many outputs. */
const VBYTES = 31 * OUTPUTS + 160;
const SCRIPT = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(5)]);
/** sat/vB of the first; each next one pays a bit more, so that the first is the first to go. */
const FIRST_RATE = 5;
const RATE_STEP = 0.05;
/** More than fit into 5 MB. */
const MOST = 60;

const coins = z.array(z.object({ txid: z.string(), vout: z.number(), amount: z.number() }));
const info = z.object({ mempoolminfee: z.number() });
const signed = z.object({ hex: z.string() });

/** Until nothing below `satPerVbyte` gets in. */
export async function congest(node: Regtest, satPerVbyte: number): Promise<void> {
  const found = coins.parse(await node.wallet.rpc("listunspent", [1]));
  const large = found.filter(({ amount }) => amount >= 1);
  for (let made = 0; made < MOST; made++) {
    const { mempoolminfee } = info.parse(await node.rpc("getmempoolinfo"));
    if (mempoolminfee * 1e5 >= satPerVbyte) return;
    const coin = must(large[made], "a mined coin");
    const rate = FIRST_RATE + made * RATE_STEP;
    const spent = BigInt(Math.round(coin.amount * 1e8));
    const tx = new Transaction();
    tx.addInput(txidToInternal(txid(coin.txid)), coin.vout);
    for (let i = 0; i < OUTPUTS; i++) tx.addOutput(SCRIPT, OUTPUT_SAT);
    const paid = BigInt(OUTPUTS) * OUTPUT_SAT + BigInt(Math.round(VBYTES * rate));
    tx.addOutput(SCRIPT, spent - paid);
    const { hex } = signed.parse(
      await node.wallet.rpc("signrawtransactionwithwallet", [tx.toHex()]),
    );
    await node.rpc("sendrawtransaction", [hex, 0]).catch((error: unknown) => {
      if (!(error instanceof RpcRefusal)) throw error; // "mempool full": it was the cheapest
    });
  }
  assert(false, "the mempool does not fill up");
}
