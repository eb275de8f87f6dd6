/**
 * BIP340 signatures over tagged hashes. Only hashes made by a layout of this folder are signed, never
 * 32 bytes given by a caller from outside.
 */
import { assert } from "../assert.js";
import { fromHex, toHex } from "../bytes.js";
import type { Curve } from "../curve/curve.js";
import type { Hash32, ManagerKey, MonitorKey } from "../ids.js";
import { refuse, type Refusal } from "../reasons.js";

export const SIGNATURE_BYTES = 64;

/**
 * Signs a digest with 32 fresh random bytes as `auxiliary32`, and verifies the signature before it is
 * handed out, so a fault during signing cannot reveal the key. Throws on a malformed secret.
 */
export function signDigest(
  curve: Curve,
  secret: Uint8Array,
  digest: Hash32,
  auxiliary32: Uint8Array,
): Uint8Array {
  const message = fromHex(digest);
  const signature = curve.schnorrSign(message, secret, auxiliary32);
  const key = curve.xOnlyPublicKey(secret);
  assert(curve.schnorrVerify(signature, message, key), "a fresh signature does not verify");
  return signature;
}

/** False for every malformed key or signature. */
export const verifyDigest = (
  curve: Curve,
  key: ManagerKey | MonitorKey,
  digest: Hash32,
  signature: Uint8Array,
): boolean =>
  signature.length === SIGNATURE_BYTES &&
  curve.schnorrVerify(signature, fromHex(digest), fromHex(key));

/** Errors: signatureMissing (empty), signatureInvalid. */
export function checkSignature(
  curve: Curve,
  key: ManagerKey | MonitorKey,
  digest: Hash32,
  signature: Uint8Array,
): Refusal | undefined {
  if (signature.length === 0) return refuse("signatureMissing", "no signature");
  if (verifyDigest(curve, key, digest, signature)) return undefined;
  return refuse("signatureInvalid", "the signature does not verify", { key, digest });
}

/** The x-only key of a secret, as identifiers name it; the caller gives it its brand. */
export const keyOfSecret = (curve: Curve, secret: Uint8Array): string =>
  toHex(curve.xOnlyPublicKey(secret));
