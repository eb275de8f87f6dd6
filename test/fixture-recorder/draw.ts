/**
 * Amounts, seeds and counts of a recording, all drawn from one number. Each value has a label and depends
 * on nothing else, so a scenario that draws one more value leaves the others as they were.
 */
import { createHash } from "node:crypto";

/** Values are taken modulo a range far below 2^48, so the bias of the remainder does not matter. */
const DRAWN_BYTES = 6;

export class Draw {
  constructor(private readonly scope: string) {}

  /** 32 bytes for a node seed. */
  bytes(label: string): Uint8Array {
    return createHash("sha256").update(`farwatch fixture\n${this.scope}\n${label}`).digest();
  }

  /** An integer from low to high, both included. */
  int(label: string, low: number, high: number): number {
    const value = Buffer.from(this.bytes(label)).readUIntBE(0, DRAWN_BYTES);
    return low + (value % (high - low + 1));
  }

  coin(label: string): boolean {
    return this.int(label, 0, 1) === 1;
  }

  /** `count` different integers from low to high, at least `gap` apart, in drawn order. */
  apart(label: string, count: number, range: { low: number; high: number; gap: number }): number[] {
    const slots = Math.floor((range.high - range.low) / range.gap) + 1;
    if (slots < count) throw new RangeError(`${label}: ${count} values do not fit`);
    const free = Array.from({ length: slots }, (_, slot) => range.low + slot * range.gap);
    return Array.from({ length: count }, (_, nth) => {
      const [taken] = free.splice(this.int(`${label} ${nth}`, 0, free.length - 1), 1);
      if (taken === undefined) throw new RangeError(`${label}: nothing left to draw`);
      return taken;
    });
  }
}
