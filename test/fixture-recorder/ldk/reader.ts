/** Reads LDK's serialization: big-endian integers, BigSize lengths, TLV streams (rust: util/ser.rs). */
export class Reader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get at(): number {
    return this.#at;
  }

  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.bytes.length) throw new RangeError("LDK bytes end early");
    const part = Uint8Array.from(this.bytes.subarray(this.#at, end));
    this.#at = end;
    return part;
  }

  /** Up to 6 bytes. */
  uint(length: number): number {
    return Buffer.from(this.take(length)).readUIntBE(0, length);
  }

  u64(): bigint {
    return Buffer.from(this.take(8)).readBigUInt64BE();
  }

  bigSize(): number {
    const first = this.uint(1);
    if (first < 0xfd) return first;
    if (first === 0xfd) return this.uint(2);
    if (first === 0xfe) return this.uint(4);
    return Number(this.u64());
  }

  /** Bytes after a 16-bit length, as LDK writes scripts. */
  script(): Uint8Array {
    return this.take(this.uint(2));
  }

  /** A TLV stream after its own length. */
  tlvStream(): Map<number, Uint8Array> {
    const records = new Map<number, Uint8Array>();
    const length = this.bigSize();
    const end = this.#at + length;
    while (this.#at < end) {
      const type = this.bigSize();
      records.set(type, this.take(this.bigSize()));
    }
    return records;
  }
}
