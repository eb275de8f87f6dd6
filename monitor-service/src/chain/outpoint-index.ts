/**
 * PURE. What the scanner looks for: outpoints whose spend matters and transactions whose confirmation
 * matters, each with the channels (small numbers) that asked.
 */
import { assert } from "@farwatch/protocol/assert";
import { txidToInternal, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { OUTPOINT_BYTES } from "./block-layout.js";
import { FixedKeyIndex } from "./fixed-key-index.js";

/** 36 bytes as they stand in an input: txid in internal order, index little endian. */
export function outpointBytes(outpoint: Outpoint): Uint8Array {
  assert(outpoint.vout >= 0 && outpoint.vout <= 0xffffffff, "vout: 32 bits");
  const key = new Uint8Array(OUTPOINT_BYTES);
  key.set(txidToInternal(outpoint.txid), 0);
  new DataView(key.buffer).setUint32(32, outpoint.vout, true);
  return key;
}

export class OutpointIndex {
  readonly table: FixedKeyIndex;

  /** `seed`: 32 random bits. */
  constructor(seed: number) {
    this.table = new FixedKeyIndex(36, seed);
  }
  get size(): number {
    return this.table.size;
  }
  add(outpoint: Outpoint, owner: number): void {
    this.table.add(outpointBytes(outpoint), owner);
  }
  remove(outpoint: Outpoint, owner: number): boolean {
    return this.table.remove(outpointBytes(outpoint), owner);
  }
  has(outpoint: Outpoint): boolean {
    return this.table.has(outpointBytes(outpoint));
  }
  owners(outpoint: Outpoint): readonly number[] {
    return this.table.ownersAt(outpointBytes(outpoint));
  }
}

export class TxidIndex {
  readonly table: FixedKeyIndex;

  /** `seed`: 32 random bits. */
  constructor(seed: number) {
    this.table = new FixedKeyIndex(32, seed);
  }
  get size(): number {
    return this.table.size;
  }
  add(id: Txid, owner: number): void {
    this.table.add(txidToInternal(id), owner);
  }
  remove(id: Txid, owner: number): boolean {
    return this.table.remove(txidToInternal(id), owner);
  }
  has(id: Txid): boolean {
    return this.table.has(txidToInternal(id));
  }
  owners(id: Txid): readonly number[] {
    return this.table.ownersAt(txidToInternal(id));
  }
}
