/** Byte helpers. Hex appears at the edges and in identifiers; arithmetic works on Uint8Array. */
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";
import { assert } from "./assert.js";

export { concatBytes };

export const toHex = (bytes: Uint8Array): string => bytesToHex(bytes);

/** Throws on odd length or a character outside 0-9a-f; for trusted constants and stored ids. */
export const fromHex = (hex: string): Uint8Array => hexToBytes(hex);

export const isHex = (text: string, byteLength: number): boolean =>
  text.length === byteLength * 2 && /^[0-9a-f]*$/.test(text);

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Lexicographic order, as BIP69 and the funding script sort keys. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export const reversed = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes).reverse();

export function expectLength(bytes: Uint8Array, length: number, what: string): Uint8Array {
  assert(bytes.length === length, `${what}: expected ${length} bytes, got ${bytes.length}`);
  return bytes;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
