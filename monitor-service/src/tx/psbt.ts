/**
 * PURE. The transaction in a PSBT whose wallet inputs are finalized (BIP 174, version 0): the unsigned
 * transaction with the final scripts of its inputs. Signatures that are not finalized are left out, so the
 * input counts as unsigned.
 */
import { Transaction } from "bitcoinjs-lib";
import { equalBytes } from "@farwatch/protocol/bytes";

/** "psbt" and a separator. */
const MAGIC = Uint8Array.of(0x70, 0x73, 0x62, 0x74, 0xff);
const PSBT_GLOBAL_UNSIGNED_TX = 0x00;
const PSBT_IN_FINAL_SCRIPTSIG = 0x07;
const PSBT_IN_FINAL_SCRIPTWITNESS = 0x08;

/** undefined: not a PSBT of this version. */
export function transactionOfPsbt(psbt: Uint8Array): Uint8Array | undefined {
  try {
    return read(new Reader(psbt));
  } catch {
    return undefined; // cut short, or the library found no transaction in it
  }
}

function read(reader: Reader): Uint8Array {
  if (!equalBytes(reader.bytes(MAGIC.length), MAGIC)) throw new RangeError("not a PSBT");
  const unsigned = reader.map().get(PSBT_GLOBAL_UNSIGNED_TX);
  if (unsigned === undefined) throw new RangeError("no unsigned transaction");
  const tx = Transaction.fromBuffer(unsigned);
  for (const input of tx.ins) {
    const fields = reader.map();
    const script = fields.get(PSBT_IN_FINAL_SCRIPTSIG);
    const witness = fields.get(PSBT_IN_FINAL_SCRIPTWITNESS);
    if (script !== undefined) input.script = script;
    if (witness !== undefined) input.witness = new Reader(witness).items();
  }
  return Uint8Array.from(tx.toBuffer());
}

/** Throws RangeError at the end of the bytes. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  bytes(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("cut short");
    const part = Uint8Array.from(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    return part;
  }

  /** Values by key type, of keys that are a type alone; BIP 174 allows each key once. */
  map(): ReadonlyMap<number, Uint8Array> {
    const fields = new Map<number, Uint8Array>();
    for (;;) {
      const keyLength = this.size();
      if (keyLength === 0) return fields;
      const [type, ...rest] = this.bytes(keyLength);
      const value = this.bytes(this.size());
      if (type === undefined || rest.length > 0) continue;
      if (fields.has(type)) throw new RangeError("a key twice");
      fields.set(type, value);
    }
  }

  items(): Uint8Array[] {
    const items: Uint8Array[] = [];
    for (let left = this.size(); left > 0; left--) items.push(this.bytes(this.size()));
    return items;
  }

  /** Bitcoin's variable-length integer, as far as a PSBT of ours needs it. */
  size(): number {
    const [first = 0] = this.bytes(1);
    if (first < 0xfd) return first;
    if (first > 0xfe) throw new RangeError("too large");
    const rest = this.bytes(first === 0xfd ? 2 : 4);
    return rest.reduceRight((value, byte) => value * 256 + byte, 0);
  }
}
