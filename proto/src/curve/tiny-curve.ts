/**
 * The faster curve: tiny-secp256k1 2.2.4 (libsecp256k1 as wasm), an optional dependency that may be
 * absent. It answers only well-formed input inside the common domain; everything else (other lengths,
 * scalars outside 1..n-1, bytes that are no point, whatever the module refuses) is decided by noble, the
 * reference. Bytes that are no point must not reach the module but in its two questions for that: it
 * throws out of the middle of any other call, loses stack each time, and works no more after some 3,000.
 */
import { err, ok, type Result } from "../result.js";
import type { Curve } from "./curve.js";
import { nobleCurve } from "./noble-curve.js";

/** The part of the module's interface that is used. */
interface TinyModule {
  isPointCompressed(p: Uint8Array): boolean;
  isXOnlyPoint(p: Uint8Array): boolean;
  isPrivate(d: Uint8Array): boolean;
  pointFromScalar(d: Uint8Array, compressed: boolean): Uint8Array | null;
  xOnlyPointFromScalar(d: Uint8Array): Uint8Array;
  pointAdd(p: Uint8Array, q: Uint8Array, compressed: boolean): Uint8Array | null;
  pointAddScalar(p: Uint8Array, k: Uint8Array, compressed: boolean): Uint8Array | null;
  pointMultiply(p: Uint8Array, k: Uint8Array, compressed: boolean): Uint8Array | null;
  privateAdd(d: Uint8Array, k: Uint8Array): Uint8Array | null;
  sign(h: Uint8Array, d: Uint8Array): Uint8Array;
  verify(h: Uint8Array, q: Uint8Array, signature: Uint8Array, strict: boolean): boolean;
  signSchnorr(h: Uint8Array, d: Uint8Array, e: Uint8Array): Uint8Array;
  verifySchnorr(h: Uint8Array, q: Uint8Array, signature: Uint8Array): boolean;
}

const USED: readonly (keyof TinyModule)[] = [
  "isPointCompressed",
  "isXOnlyPoint",
  "isPrivate",
  "pointFromScalar",
  "xOnlyPointFromScalar",
  "pointAdd",
  "pointAddScalar",
  "pointMultiply",
  "privateAdd",
  "sign",
  "verify",
  "signSchnorr",
  "verifySchnorr",
];

function isTinyModule(loaded: unknown): loaded is TinyModule {
  if (typeof loaded !== "object" || loaded === null) return false;
  const members = new Map<string, unknown>(Object.entries(loaded));
  return USED.every((name) => typeof members.get(name) === "function");
}

/** Runs the fast path if the input is in its domain; noble decides the rest and whatever it refuses. */
function attempt<T>(inDomain: boolean, fast: () => T, reference: () => T): T {
  if (!inDomain) return reference();
  try {
    return fast();
  } catch {
    return reference(); // refused by the module: noble throws or answers, as the port says
  }
}

function pointsAndSecrets(
  tiny: TinyModule,
): Omit<Curve, "backend" | `${"ecdsa" | "schnorr"}${"Sign" | "Verify"}`> {
  const isSecret = (k: Uint8Array): boolean => tiny.isPrivate(k);
  const isPoint = (p: Uint8Array): boolean => tiny.isPointCompressed(p);
  return {
    publicKey: (secret) =>
      attempt(
        isSecret(secret),
        () => tiny.pointFromScalar(secret, true) ?? nobleCurve.publicKey(secret),
        () => nobleCurve.publicKey(secret),
      ),
    xOnlyPublicKey: (secret) =>
      attempt(
        isSecret(secret),
        () => tiny.xOnlyPointFromScalar(secret),
        () => nobleCurve.xOnlyPublicKey(secret),
      ),
    isPoint: (bytes) => tiny.isPointCompressed(bytes),
    isSecret,
    pointAdd: (p, q) =>
      attempt(
        isPoint(p) && isPoint(q),
        () => tiny.pointAdd(p, q, true) ?? undefined,
        () => nobleCurve.pointAdd(p, q),
      ),
    pointAddScalar: (p, k) =>
      attempt(
        isPoint(p) && isSecret(k),
        () => tiny.pointAddScalar(p, k, true) ?? undefined,
        () => nobleCurve.pointAddScalar(p, k),
      ),
    pointMultiply: (p, k) =>
      attempt(
        isPoint(p) && isSecret(k),
        () => tiny.pointMultiply(p, k, true) ?? undefined,
        () => nobleCurve.pointMultiply(p, k),
      ),
    secretAdd: (a, b) =>
      attempt(
        isSecret(a) && isSecret(b),
        () => tiny.privateAdd(a, b) ?? undefined,
        () => nobleCurve.secretAdd(a, b),
      ),
    secretMultiply: (a, b) => nobleCurve.secretMultiply(a, b), // the module has no such function
  };
}

function signatures(
  tiny: TinyModule,
): Pick<Curve, "ecdsaSign" | "ecdsaVerify" | "schnorrSign" | "schnorrVerify"> {
  /** Both halves in 1..n-1; a BIP340 r between n and p is valid too, and left to noble. */
  const commonSignature = (signature: Uint8Array): boolean =>
    signature.length === 64 &&
    tiny.isPrivate(signature.subarray(0, 32)) &&
    tiny.isPrivate(signature.subarray(32));
  return {
    ecdsaSign: (digest, secret) =>
      attempt(
        digest.length === 32 && tiny.isPrivate(secret),
        () => tiny.sign(digest, secret),
        () => nobleCurve.ecdsaSign(digest, secret),
      ),
    ecdsaVerify: (signature, digest, publicKey) =>
      attempt(
        commonSignature(signature) && digest.length === 32 && tiny.isPointCompressed(publicKey),
        () => tiny.verify(digest, publicKey, signature, true),
        () => nobleCurve.ecdsaVerify(signature, digest, publicKey),
      ),
    schnorrSign: (message, secret, auxiliary) =>
      attempt(
        message.length === 32 && tiny.isPrivate(secret) && auxiliary.length === 32,
        () => tiny.signSchnorr(message, secret, auxiliary),
        () => nobleCurve.schnorrSign(message, secret, auxiliary),
      ),
    schnorrVerify: (signature, message, key) =>
      attempt(
        commonSignature(signature) && message.length === 32 && tiny.isXOnlyPoint(key),
        () => tiny.verifySchnorr(message, key, signature),
        () => nobleCurve.schnorrVerify(signature, message, key),
      ),
  };
}

/** Why the module cannot be used. */
export interface TinyUnavailable {
  readonly kind: "missing" | "unusable";
  readonly message: string;
}

export type TinyLoader = () => Promise<Result<Curve, TinyUnavailable>>;

/** A variable keeps the compiler from needing the module, so that a build without it succeeds. */
const MODULE_NAME: string = "tiny-secp256k1";

/** Imports the module. An absent or foreign module is a value, not an exception. */
export const loadTinyCurve: TinyLoader = async () => {
  try {
    const loaded: unknown = await import(MODULE_NAME);
    if (!isTinyModule(loaded)) {
      return err({ kind: "unusable", message: `${MODULE_NAME} lacks an expected function` });
    }
    return ok({ backend: "tiny-secp256k1", ...pointsAndSecrets(loaded), ...signatures(loaded) });
  } catch (cause) {
    const absent =
      cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND";
    if (absent) return err({ kind: "missing", message: `${MODULE_NAME} is not installed` });
    const message = cause instanceof Error ? cause.message : String(cause);
    return err({ kind: "unusable", message: `${MODULE_NAME} cannot be loaded: ${message}` });
  }
};
