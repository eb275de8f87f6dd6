/**
 * TH(tag, x) = SHA256(SHA256(tag) | SHA256(tag) | x), the 32-byte message of every signature here
 * (reliability 3.5, BIP340). The tag names protocol, kind and version, so a signature of one kind is
 * never one of another.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, toHex, utf8 } from "../bytes.js";
import { hash32, type Hash32 } from "../ids.js";

export type TaggedHash = (body: Uint8Array) => Hash32;

/** TH for one tag; the tag's own hash is computed once. */
export function taggedHash(tag: string): TaggedHash {
  const tagDigest = sha256(utf8(tag));
  const prefix = concatBytes(tagDigest, tagDigest);
  return (body) => hash32(toHex(sha256(concatBytes(prefix, body))));
}

/** Plain SHA-256, for payload and content hashes. */
export const sha256Hash = (bytes: Uint8Array): Hash32 => hash32(toHex(sha256(bytes)));
