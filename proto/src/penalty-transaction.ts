/**
 * What a penalty transaction must be before it is held (ADR M-18): complete, and dependent on the commitment
 * alone. Both services check it: what only a monitor refused would freeze the channel. Whether its signatures
 * are good cannot be told: they cover the amounts of outputs that nobody has shown us.
 */
import { MAX_SAT } from "./amount.js";
import { txidFromInternal, type Txid } from "./ids.js";
import { refuse, type Refusal } from "./reasons.js";

const OUTPOINT_BYTES = 36;
const TXID_BYTES = 32;

/** Errors: malformed. */
export function checkPenaltyTransaction(raw: Uint8Array, commitment: Txid): Refusal | undefined {
  try {
    walk(new Reader(raw), commitment);
    return undefined;
  } catch (error) {
    if (!(error instanceof NotAPenalty)) throw error;
    return refuse("malformed", error.message, { field: "penalty_transaction.transaction" });
  }
}

class NotAPenalty extends Error {}

/** BIP 144, with witnesses: a transaction without any is not signed. */
function walk(reader: Reader, commitment: Txid): void {
  reader.take(4);
  const [marker, flag] = reader.take(2);
  if (marker !== 0 || flag !== 1) throw new NotAPenalty("not a transaction with witnesses");
  const inputs = reader.count();
  if (inputs === 0) throw new NotAPenalty("no input");
  const spent = new Set<number>();
  for (let i = 0; i < inputs; i++) spent.add(input(reader, commitment));
  if (spent.size !== inputs) throw new NotAPenalty("two inputs spend one output");
  const outputs = reader.count();
  if (outputs === 0) throw new NotAPenalty("no output");
  for (let i = 0; i < outputs; i++) {
    if (reader.littleEndian(8) > MAX_SAT) throw new NotAPenalty("more than 21 million BTC");
    reader.take(reader.count());
  }
  for (let i = 0; i < inputs; i++) witness(reader);
  reader.take(4);
  if (reader.left !== 0) throw new NotAPenalty("bytes after the transaction");
}

/** Returns the index of the output that it spends. */
function input(reader: Reader, commitment: Txid): number {
  const outpoint = reader.take(OUTPOINT_BYTES);
  if (txidFromInternal(outpoint.subarray(0, TXID_BYTES)) !== commitment) {
    throw new NotAPenalty("an input spends another transaction than the commitment");
  }
  if (reader.count() !== 0) throw new NotAPenalty("an input has a scriptSig");
  reader.take(4);
  return Number(new Reader(outpoint.subarray(TXID_BYTES)).littleEndian(4));
}

function witness(reader: Reader): void {
  const items = reader.count();
  if (items === 0) throw new NotAPenalty("an input is not signed");
  for (let i = 0; i < items; i++) reader.take(reader.count());
}

class Reader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new NotAPenalty("the transaction ends early");
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  littleEndian(width: number): bigint {
    return this.take(width).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  /** In Bitcoin's shortest form; nothing here has more of anything than bytes. */
  count(): number {
    const [first = 0] = this.take(1);
    if (first < 0xfd) return first;
    const width = first === 0xfd ? 2 : first === 0xfe ? 4 : 8;
    const value = this.littleEndian(width);
    const least = width === 2 ? 0xfdn : 1n << BigInt(width * 4);
    if (value < least) throw new NotAPenalty("a length is not written in its shortest form");
    if (value > BigInt(this.bytes.length)) throw new NotAPenalty("the transaction ends early");
    return Number(value);
  }
}
