/** The reference curve: @noble/secp256k1. Slow in bulk, but small and audited; the oracle in tests. */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import * as secp from "@noble/secp256k1";
import type { Curve } from "./curve.js";

secp.hashes.sha256 = sha256;
secp.hashes.hmacSha256 = (key: Uint8Array, message: Uint8Array) => hmac(sha256, key, message);

const N = secp.Point.CURVE().n;
const toInteger = (bytes: Uint8Array): bigint => secp.etc.bytesToNumberBE(bytes);
const toBytes = (value: bigint): Uint8Array => secp.etc.numberToBytesBE(value);
const point = (bytes: Uint8Array) => secp.Point.fromBytes(bytes);
const compressed = (p: InstanceType<typeof secp.Point>): Uint8Array | undefined =>
  p.is0() ? undefined : p.toBytes(true);

function attempt<T>(compute: () => T, fallback: T): T {
  try {
    return compute();
  } catch {
    return fallback; // malformed points and signatures are "not valid", by the port's contract
  }
}

export const nobleCurve: Curve = {
  backend: "noble",
  publicKey: (secret) => secp.getPublicKey(secret, true),
  xOnlyPublicKey: (secret) => secp.schnorr.getPublicKey(secret),
  isPoint: (bytes) => bytes.length === 33 && attempt(() => (point(bytes), true), false),
  isSecret: (secret) => secp.utils.isValidSecretKey(secret),
  pointAdd: (p, q) => compressed(point(p).add(point(q))),
  pointAddScalar(p, k) {
    const scalar = toInteger(k) % N;
    return compressed(scalar === 0n ? point(p) : point(p).add(secp.Point.BASE.multiply(scalar)));
  },
  pointMultiply(p, k) {
    const scalar = toInteger(k) % N;
    return scalar === 0n ? undefined : compressed(point(p).multiply(scalar));
  },
  secretAdd(a, b) {
    const sum = (toInteger(a) + toInteger(b)) % N;
    return sum === 0n ? undefined : toBytes(sum);
  },
  secretMultiply: (a, b) => toBytes((toInteger(a) * toInteger(b)) % N),
  ecdsaSign: (digest, secret) => secp.sign(digest, secret, { prehash: false, lowS: true }),
  ecdsaVerify: (signature, digest, publicKey) =>
    attempt(() => secp.verify(signature, digest, publicKey, { prehash: false, lowS: true }), false),
  schnorrSign: (message, secret, auxiliary) => secp.schnorr.sign(message, secret, auxiliary),
  schnorrVerify: (signature, message, key) =>
    attempt(() => secp.schnorr.verify(signature, message, key), false),
};
