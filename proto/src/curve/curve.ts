/**
 * PORT: secp256k1 arithmetic. Every implementation must agree with noble bit for bit on what is
 * valid; a start-up self-test decides whether a faster one may be used (curve/select-curve.ts).
 * Pure functions only. Malformed keys or signatures verify as false; malformed secrets throw.
 */
export interface Curve {
  readonly backend: "noble" | "tiny-secp256k1";
  /** 33-byte compressed point of a 32-byte secret. */
  publicKey(secret: Uint8Array): Uint8Array;
  /** 32-byte BIP340 key of a 32-byte secret. */
  xOnlyPublicKey(secret: Uint8Array): Uint8Array;
  isPoint(point: Uint8Array): boolean;
  isSecret(secret: Uint8Array): boolean;
  /** P + Q, compressed; undefined at infinity. */
  pointAdd(p: Uint8Array, q: Uint8Array): Uint8Array | undefined;
  /** P + k*G, compressed. */
  pointAddScalar(p: Uint8Array, k: Uint8Array): Uint8Array | undefined;
  /** k*P, compressed. */
  pointMultiply(p: Uint8Array, k: Uint8Array): Uint8Array | undefined;
  /** (a + b) mod n; undefined when zero. */
  secretAdd(a: Uint8Array, b: Uint8Array): Uint8Array | undefined;
  /** (a * b) mod n. */
  secretMultiply(a: Uint8Array, b: Uint8Array): Uint8Array;
  /** RFC 6979 deterministic, low-S, 64-byte compact. */
  ecdsaSign(digest: Uint8Array, secret: Uint8Array): Uint8Array;
  /** Low-S required, 64-byte compact. */
  ecdsaVerify(signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array): boolean;
  /** BIP340 over a 32-byte message, with 32 bytes of auxiliary randomness given by the caller. */
  schnorrSign(message: Uint8Array, secret: Uint8Array, auxiliary: Uint8Array): Uint8Array;
  schnorrVerify(signature: Uint8Array, message: Uint8Array, xOnlyPublicKey: Uint8Array): boolean;
}
