/** Spends of a commitment's to_local for tests: real transactions, signatures made up. */
import { Transaction } from "bitcoinjs-lib";
import { txidToInternal, type Outpoint } from "@farwatch/protocol/ids";

const SCRIPT = Uint8Array.from([0x63, 0x51]);
const PAYS_TO = Uint8Array.from([0x00, 0x14, ...new Uint8Array(20).fill(7)]);

/** How a transaction takes an output: by the revocation key, or as the cheater after the delay. */
export type Path = "revocation" | "delayed";

export function spend(
  outpoints: readonly Outpoint[],
  options: { readonly path?: Path; readonly value?: bigint; readonly sign?: boolean } = {},
): Uint8Array {
  const tx = new Transaction();
  tx.version = 2;
  const branch = options.path === "delayed" ? new Uint8Array() : Uint8Array.from([1]);
  for (const { txid: of, vout } of outpoints) {
    const index = tx.addInput(txidToInternal(of), vout);
    const signature = new Uint8Array(71).fill(0x30);
    if (options.sign !== false) tx.setWitness(index, [signature, branch, SCRIPT]);
  }
  tx.addOutput(PAYS_TO, options.value ?? 10_000n);
  return Uint8Array.from(tx.toBuffer());
}
