/**
 * A curve that remembers. A sweep runs one scenario hundreds of times with the same keys and the same
 * messages, and arithmetic would be nearly all of its time. Pure functions, so an answer is as good the
 * second time.
 */
import type { Curve } from "@farwatch/protocol/curve/curve";

/** Entries per function: some hundred runs of a scenario; then everything is forgotten. */
const MAX_ENTRIES = 200_000;

const keyOf = (args: readonly Uint8Array[]): string =>
  args
    .map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1"))
    .join("|");

function remembering<T extends Uint8Array | boolean | undefined>(
  run: (...args: readonly Uint8Array[]) => T,
): (...args: readonly Uint8Array[]) => T {
  const known = new Map<string, { readonly value: T }>();
  return (...args) => {
    const key = keyOf(args);
    const found = known.get(key) ?? { value: run(...args) };
    if (known.size >= MAX_ENTRIES) known.clear();
    known.set(key, found);
    return copied(found.value);
  };
}

/** Callers own what they get. */
function copied<T extends Uint8Array | boolean | undefined>(value: T): T;
function copied(value: Uint8Array | boolean | undefined): Uint8Array | boolean | undefined {
  return value instanceof Uint8Array ? Uint8Array.from(value) : value;
}

export function cachedCurve(curve: Curve): Curve {
  return {
    backend: curve.backend,
    publicKey: remembering((secret) => curve.publicKey(at(secret))),
    xOnlyPublicKey: remembering((secret) => curve.xOnlyPublicKey(at(secret))),
    isPoint: remembering((point) => curve.isPoint(at(point))),
    isSecret: remembering((secret) => curve.isSecret(at(secret))),
    pointAdd: remembering((p, q) => curve.pointAdd(at(p), at(q))),
    pointAddScalar: remembering((p, k) => curve.pointAddScalar(at(p), at(k))),
    pointMultiply: remembering((p, k) => curve.pointMultiply(at(p), at(k))),
    secretAdd: remembering((a, b) => curve.secretAdd(at(a), at(b))),
    secretMultiply: remembering((a, b) => curve.secretMultiply(at(a), at(b))),
    ecdsaSign: remembering((digest, secret) => curve.ecdsaSign(at(digest), at(secret))),
    ecdsaVerify: remembering((signature, digest, key) =>
      curve.ecdsaVerify(at(signature), at(digest), at(key)),
    ),
    schnorrSign: remembering((message, secret, auxiliary) =>
      curve.schnorrSign(at(message), at(secret), at(auxiliary)),
    ),
    schnorrVerify: remembering((signature, message, key) =>
      curve.schnorrVerify(at(signature), at(message), at(key)),
    ),
  };
}

const NOTHING = new Uint8Array(0);
const at = (bytes: Uint8Array | undefined): Uint8Array => bytes ?? NOTHING;
