/**
 * Pseudo-random bytes from a fixed seed, for the start-up self-test: SHA-256 in counter mode. The same
 * seed gives the same cases on every machine. Never for keys or nonces.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, utf8 } from "../bytes.js";

export class SeededBytes {
  readonly #seed: Uint8Array;
  #counter = 0;

  constructor(seed: string) {
    this.#seed = utf8(seed);
  }

  /** 32 bytes; as a scalar, below n but for a chance of 2^-128. */
  next(): Uint8Array {
    const counter = utf8(`|${this.#counter++}`);
    return sha256(concatBytes(this.#seed, counter));
  }
}
