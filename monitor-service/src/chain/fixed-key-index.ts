/**
 * PURE. A map from fixed-length byte keys to the few small numbers that own them, in flat arrays: 1 million
 * outpoints take 50 to 60 MB and a lookup reads the key where it stands in the block. The hash is
 * seeded, because whoever opens channels chooses txids and could make them collide.
 */
import { assert, must } from "@farwatch/protocol/assert";

/** Slots per key at most 1/2 full: an unsuccessful lookup looks at about two slots. */
const MAX_LOAD = 0.5;
const MIN_SLOTS = 16;
/** Small, because entries are most of the memory; the copying stays linear in the end. */
const ENTRY_GROWTH = 1.25;
/** Owners are stored in 32 bits; this one marks a key with several owners, kept aside. */
const SEVERAL = 0xffffffff;
export const MAX_OWNER = SEVERAL - 1;

export class FixedKeyIndex {
  /** Entry number + 1; 0 is free. */
  #slots = new Uint32Array(MIN_SLOTS);
  #keys: Uint8Array;
  #owners = new Uint32Array(MIN_SLOTS);
  #size = 0;
  readonly #several = new Map<string, number[]>();

  constructor(
    readonly keyBytes: 32 | 36,
    /** 32 random bits, from the shell. */
    private readonly seed: number,
  ) {
    this.#keys = new Uint8Array(MIN_SLOTS * keyBytes);
  }

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  /** Idempotent for the same key and owner. The key is copied. */
  add(key: Uint8Array, owner: number): void {
    assert(key.length === this.keyBytes, "index key length");
    assert(Number.isInteger(owner) && owner >= 0 && owner <= MAX_OWNER, "index owner: 32 bits");
    const slot = this.#find(key, 0);
    const entry = this.#entryAt(slot);
    if (entry === undefined) {
      this.#insert(slot, key, owner);
      return;
    }
    const owners = this.#ownersOf(entry);
    if (owners.includes(owner)) return;
    this.#several.set(latin1(key), [...owners, owner]);
    this.#owners[entry] = SEVERAL;
  }

  /** False when this owner did not have the key. */
  remove(key: Uint8Array, owner: number): boolean {
    assert(key.length === this.keyBytes, "index key length");
    const slot = this.#find(key, 0);
    const entry = this.#entryAt(slot);
    if (entry === undefined) return false;
    const owners = this.#ownersOf(entry);
    const left = owners.filter((other) => other !== owner);
    if (left.length === owners.length) return false;
    this.#several.delete(latin1(key));
    if (left.length === 0) this.#delete(slot, entry);
    else if (left.length === 1) this.#owners[entry] = must(left[0], "owner");
    else this.#several.set(latin1(key), left);
    return true;
  }

  /** Is the key that stands at `offset` in these bytes known? */
  has(bytes: Uint8Array, offset = 0): boolean {
    return this.#size > 0 && this.#slots[this.#find(bytes, offset)] !== 0;
  }

  /** In the order they were added; empty when the key is unknown. */
  ownersAt(bytes: Uint8Array, offset = 0): readonly number[] {
    if (this.#size === 0) return [];
    const entry = this.#entryAt(this.#find(bytes, offset));
    return entry === undefined ? [] : this.#ownersOf(entry);
  }

  #ownersOf(entry: number): readonly number[] {
    const owner = must(this.#owners[entry], "owner");
    if (owner !== SEVERAL) return [owner];
    return must(this.#several.get(latin1(this.#keyOf(entry))), "owners of a shared key");
  }

  #entryAt(slot: number): number | undefined {
    const value = must(this.#slots[slot], "slot");
    return value === 0 ? undefined : value - 1;
  }

  #keyOf(entry: number): Uint8Array {
    return this.#keys.subarray(entry * this.keyBytes, (entry + 1) * this.keyBytes);
  }

  /** The slot that holds the key, else the free slot where it belongs (linear probing). */
  #find(bytes: Uint8Array, offset: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = this.#hash(bytes, offset) & mask;
    for (;;) {
      const value = slots[slot];
      if (value === undefined || value === 0 || this.#equals(value - 1, bytes, offset)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #equals(entry: number, bytes: Uint8Array, offset: number): boolean {
    const keys = this.#keys;
    const start = entry * this.keyBytes;
    for (let i = 0; i < this.keyBytes; i++) {
      if (keys[start + i] !== bytes[offset + i]) return false;
    }
    return true;
  }

  /** Three words of the txid and, for outpoints, the low half of the index, mixed with the seed. */
  #hash(bytes: Uint8Array, offset: number): number {
    let h = this.seed;
    h = mix(h ^ word(bytes, offset));
    h = mix(h ^ word(bytes, offset + 8));
    h = mix(h ^ word(bytes, offset + 16));
    if (this.keyBytes === 36) h = mix(h ^ word(bytes, offset + 32));
    return h >>> 0;
  }

  #insert(slot: number, key: Uint8Array, owner: number): void {
    const entry = this.#size++;
    if ((entry + 1) * this.keyBytes > this.#keys.length) this.#growEntries();
    this.#keys.set(key, entry * this.keyBytes);
    this.#owners[entry] = owner;
    this.#slots[slot] = entry + 1;
    if (this.#size > this.#slots.length * MAX_LOAD) this.#growSlots();
  }

  /** The last entry takes the place of the removed one, so entries stay dense. */
  #delete(slot: number, entry: number): void {
    this.#freeSlot(slot);
    const last = this.#size - 1;
    if (entry !== last) {
      const lastSlot = this.#find(this.#keyOf(last), 0);
      this.#keys.copyWithin(
        entry * this.keyBytes,
        last * this.keyBytes,
        (last + 1) * this.keyBytes,
      );
      this.#owners[entry] = must(this.#owners[last], "owner");
      this.#slots[lastSlot] = entry + 1;
    }
    this.#size = last;
  }

  /** Backward shift: no tombstones, so lookups stay short however often keys come and go. */
  #freeSlot(freed: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = freed;
    for (let slot = (hole + 1) & mask; ; slot = (slot + 1) & mask) {
      const value = must(slots[slot], "slot");
      if (value === 0) break;
      const home = this.#hash(this.#keys, (value - 1) * this.keyBytes) & mask;
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = value;
        hole = slot;
      }
    }
    slots[hole] = 0;
  }

  #growEntries(): void {
    const entries = Math.ceil((this.#keys.length / this.keyBytes) * ENTRY_GROWTH);
    const keys = new Uint8Array(entries * this.keyBytes);
    keys.set(this.#keys);
    this.#keys = keys;
    const owners = new Uint32Array(entries);
    owners.set(this.#owners);
    this.#owners = owners;
  }

  #growSlots(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let entry = 0; entry < this.#size; entry++) {
      this.#slots[this.#find(this.#keys, entry * this.keyBytes)] = entry + 1;
    }
  }
}

const latin1 = (key: Uint8Array): string => Buffer.from(key).toString("latin1");

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) |
  ((bytes[at + 1] ?? 0) << 8) |
  ((bytes[at + 2] ?? 0) << 16) |
  ((bytes[at + 3] ?? 0) << 24);

/** The finalizer of MurmurHash3 (public domain constants): every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
