/** What bitcoind itself says happened: who spent an output, in which block. */
import { z } from "zod";
import type { Regtest } from "../bitcoind/node.js";

const Block = z.object({
  height: z.number(),
  tx: z.array(
    z.object({
      txid: z.string(),
      hex: z.string(),
      vin: z.array(z.object({ txid: z.string().optional(), vout: z.number().optional() })),
      vout: z.array(
        z.object({ n: z.number(), value: z.number(), scriptPubKey: z.object({ hex: z.string() }) }),
      ),
    }),
  ),
});
export type BlockTx = z.infer<typeof Block>["tx"][number];

export interface Spend {
  readonly txid: string;
  readonly height: number;
  readonly tx: BlockTx;
}

export async function blockAt(bitcoind: Regtest, height: number): Promise<z.infer<typeof Block>> {
  const hash = await bitcoind.rpc("getblockhash", [height]);
  return Block.parse(await bitcoind.rpc("getblock", [hash, 2]));
}

/** The confirmed transaction that spends `txid:vout`, searched from a height to the tip. */
export async function findSpend(
  bitcoind: Regtest,
  outpoint: { readonly txid: string; readonly vout: number },
  fromHeight: number,
): Promise<Spend | undefined> {
  const tip = await bitcoind.height();
  for (let height = fromHeight; height <= tip; height++) {
    const block = await blockAt(bitcoind, height);
    const tx = block.tx.find(({ vin }) =>
      vin.some((input) => input.txid === outpoint.txid && input.vout === outpoint.vout),
    );
    if (tx !== undefined) return { txid: tx.txid, height, tx };
  }
  return undefined;
}

/** True when a transaction in the mempool spends the output. */
export async function isSpentInMempool(
  bitcoind: Regtest,
  outpoint: { readonly txid: string; readonly vout: number },
): Promise<boolean> {
  const spends = z
    .array(z.object({ spendingtxid: z.string().optional() }))
    .parse(await bitcoind.rpc("gettxspendingprevout", [[outpoint]]));
  return spends[0]?.spendingtxid !== undefined;
}

/** Polls until `condition` holds; says what it waited for when it does not. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
