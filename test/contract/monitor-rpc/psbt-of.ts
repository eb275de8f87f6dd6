/** A PSBT (BIP 174, version 0) of a transaction whose witnesses, where it has any, are final. */
import type { Transaction } from "bitcoinjs-lib";
import { concatBytes } from "@farwatch/protocol/bytes";

const MAGIC = Uint8Array.of(0x70, 0x73, 0x62, 0x74, 0xff);
const END = Uint8Array.of(0);
const GLOBAL_UNSIGNED_TX = 0x00;
const IN_WITNESS_UTXO = 0x01;
const IN_FINAL_SCRIPTWITNESS = 0x08;

/** Lengths below 65536. */
const sized = (bytes: Uint8Array): Uint8Array =>
  bytes.length < 0xfd
    ? concatBytes(Uint8Array.of(bytes.length), bytes)
    : concatBytes(Uint8Array.of(0xfd, bytes.length & 0xff, bytes.length >> 8), bytes);

const field = (type: number, value: Uint8Array): Uint8Array =>
  concatBytes(sized(Uint8Array.of(type)), sized(value));

export function psbtOf(tx: Transaction): Uint8Array {
  const unsigned = tx.clone();
  for (const input of unsigned.ins) input.witness = [];
  const inputs = tx.ins.map(({ witness }) => {
    const items = concatBytes(Uint8Array.of(witness.length), ...witness.map(sized));
    const final = witness.length === 0 ? [] : [field(IN_FINAL_SCRIPTWITNESS, items)];
    return concatBytes(field(IN_WITNESS_UTXO, new Uint8Array(300)), ...final, END);
  });
  const outputs = tx.outs.map(() => END);
  const global = concatBytes(field(GLOBAL_UNSIGNED_TX, unsigned.toBuffer()), END);
  return concatBytes(MAGIC, global, ...inputs, ...outputs);
}
