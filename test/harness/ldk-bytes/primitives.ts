/** LDK's basic values (util/ser.rs). Every value of a vector is another one, so that none is taken for another. */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, toHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { bigEndian, collectionLength, raw, sequence, type Built } from "./wire.js";

const number =
  (width: number) =>
  (value: bigint | number): Built => ({
    wire: raw(bigEndian(value, width)),
    meaning: String(value),
  });
export const u8 = number(1);
export const u16 = number(2);
export const u32 = number(4);
export const u48 = number(6);
export const u64 = number(8);
export const u128 = number(16);

export const bool = (value: boolean): Built => ({
  wire: raw(Uint8Array.of(value ? 1 : 0)),
  meaning: value,
});

/** `()`, and what is there only to be there. */
export const unit: Built = { wire: raw(new Uint8Array()), meaning: true };

export const bytes = (value: Uint8Array): Built => ({ wire: raw(value), meaning: toHex(value) });

/** Drawn from a counter: the n-th value of a vector is the same in every run. */
export class Draw {
  private drawn = 0;
  constructor(private readonly name: string) {}

  data(length: number): Uint8Array {
    const out: Uint8Array[] = [];
    for (let block = 0; block * 32 < length; block++) {
      out.push(sha256(new TextEncoder().encode(`${this.name} ${this.drawn} ${block}`)));
    }
    this.drawn += 1;
    return concatBytes(...out).subarray(0, length);
  }
  readonly hash = (): Built => bytes(this.data(32));
  readonly signature = (): Built => bytes(this.data(64));

  /** LDK keeps hashes of bitcoin as they stand in a transaction; people read them reversed. */
  txid(): Built {
    const internal = this.data(32);
    return { wire: raw(internal), meaning: toHex(Uint8Array.from(internal).reverse()) };
  }

  /** A point on the curve: LDK reads no other. */
  key(): Built {
    return bytes(nobleCurve.publicKey(this.data(32)));
  }
  /** Less than 2^bits, and never small. */
  private below(bits: number): bigint {
    const value = BigInt(`0x${toHex(this.data(8))}`) & ((1n << BigInt(bits)) - 1n);
    return value | (1n << BigInt(bits - 2));
  }
  readonly sats = (): Built => u64(this.below(40));
  readonly msats = (): Built => u64(this.below(44));
  readonly id = (): Built => u64(this.below(63));
  readonly big = (): Built => u128((this.below(60) << 62n) | this.below(60));
  readonly count = (): Built => u32(this.below(24));
  readonly height = (): Built => u32(this.below(20));
  readonly short = (): Built => u16(this.below(12));

  script(length = 22): Built {
    const value = this.data(length);
    return { wire: raw(concatBytes(bigEndian(length, 2), value)), meaning: toHex(value) };
  }
  /** `OutPoint` of LDK: index in two bytes. */
  outpoint(): Built {
    return this.outpointOf(2);
  }
  /** `OutPoint` of rust-bitcoin as LDK writes it: index in four, big-endian. */
  bitcoinOutpoint(): Built {
    return this.outpointOf(4);
  }
  private outpointOf(width: number): Built {
    const txid = this.txid();
    const index = number(width)(this.below(10));
    return {
      wire: sequence(txid.wire, index.wire),
      meaning: { txid: txid.meaning, index: index.meaning },
    };
  }
  /** Consensus form: amount little-endian, script with a CompactSize. */
  txOut(): Built {
    const value = this.below(40);
    const script = this.data(22);
    return {
      wire: raw(concatBytes(littleEndian(value, 8), Uint8Array.of(script.length), script)),
      meaning: { value_sat: String(value), script_pubkey: toHex(script) },
    };
  }
  /** One input without a script, two outputs, no witness. */
  transaction(): Built {
    const output = (): Uint8Array =>
      concatBytes(littleEndian(this.below(40), 8), Uint8Array.of(34), this.data(34));
    return bytes(
      concatBytes(
        littleEndian(2n, 4),
        Uint8Array.of(1),
        this.data(32),
        littleEndian(1n, 4),
        Uint8Array.of(0),
        this.data(4),
        Uint8Array.of(2),
        output(),
        output(),
        this.data(4),
      ),
    );
  }
}

function littleEndian(value: bigint, width: number): Uint8Array {
  return bigEndian(value, width).reverse();
}

/** `Vec<u8>` and `String`. */
export const byteVec = (value: Uint8Array): Built => ({
  wire: raw(concatBytes(collectionLength(value.length), value)),
  meaning: toHex(value),
});

export const text = (value: string): Built => {
  const utf8 = new TextEncoder().encode(value);
  return { wire: byteVec(utf8).wire, meaning: value };
};

/** NodeFeatures, ChannelFeatures: two bytes of length, then the flags. */
export const lengthFeatures = (flags: Uint8Array): Built => ({
  wire: raw(concatBytes(bigEndian(flags.length, 2), flags)),
  meaning: toHex(flags),
});

/** ChannelTypeFeatures in a record of their own: flags only. */
export const STATIC_REMOTE_KEY = bytes(Uint8Array.of(0x10, 0x00));
export const ANCHORS = bytes(Uint8Array.of(0x40, 0x10, 0x00));
/** Bit 40, `option_zero_fee_commitments`, and the static remote key (0.2 and later). */
export const ZERO_FEE = bytes(Uint8Array.of(0x01, 0x00, 0x00, 0x00, 0x10, 0x00));
