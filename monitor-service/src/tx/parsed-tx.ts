/**
 * A confirmed or built transaction as plain data, so that the monitor core needs no transaction
 * library. Witnesses are kept: preimages are read from them (BOLT 5).
 */
import { Transaction } from "bitcoinjs-lib";
import { sat, type Sat } from "@farwatch/protocol/amount";
import {
  txid,
  txidFromInternal,
  txidToInternal,
  type Outpoint,
  type Txid,
} from "@farwatch/protocol/ids";

export interface ParsedInput {
  readonly outpoint: Outpoint;
  readonly sequence: number;
  readonly witness: readonly Uint8Array[];
}

export interface ParsedOutput {
  readonly valueSat: Sat;
  readonly scriptPubkey: Uint8Array;
}

export interface ParsedTx {
  readonly txid: Txid;
  readonly version: number;
  readonly locktime: number;
  readonly inputs: readonly ParsedInput[];
  readonly outputs: readonly ParsedOutput[];
}

/**
 * Bytes are copied: a parsed transaction never keeps a block's buffer alive. Throws when
 * malformed.
 */
export const parseTx = (raw: Uint8Array): ParsedTx =>
  toParsedTx(Transaction.fromBuffer(Uint8Array.from(raw)));

/** The bytes it was parsed from; undefined when they held a scriptSig, which is not kept. */
export function serializeTx(parsed: ParsedTx): Uint8Array | undefined {
  const tx = new Transaction();
  tx.version = parsed.version;
  tx.locktime = parsed.locktime;
  for (const { outpoint, sequence, witness } of parsed.inputs) {
    const index = tx.addInput(txidToInternal(outpoint.txid), outpoint.vout, sequence);
    tx.setWitness(index, [...witness]);
  }
  for (const { scriptPubkey, valueSat } of parsed.outputs) tx.addOutput(scriptPubkey, valueSat);
  return tx.getId() === parsed.txid ? Uint8Array.from(tx.toBuffer()) : undefined;
}

export function toParsedTx(tx: Transaction): ParsedTx {
  return {
    txid: txid(tx.getId()),
    version: tx.version,
    locktime: tx.locktime,
    inputs: tx.ins.map((input) => ({
      outpoint: { txid: txidFromInternal(input.hash), vout: input.index },
      sequence: input.sequence,
      witness: input.witness.map((item) => Uint8Array.from(item)),
    })),
    outputs: tx.outs.map((output) => ({
      valueSat: sat(output.value),
      scriptPubkey: Uint8Array.from(output.script),
    })),
  };
}
