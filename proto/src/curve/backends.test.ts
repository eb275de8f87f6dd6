/**
 * Both backends on the official BIP340 vectors (those with a 32-byte message: everything signed here
 * is a 32-byte hash), and against each other on random input, well-formed and not.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { fromHex, toHex } from "../bytes.js";
import type { Curve } from "./curve.js";
import { nobleCurve } from "./noble-curve.js";
import { ORDER } from "./select-curve-cases.js";
import { loadTinyCurve } from "./tiny-curve.js";

interface Bip340Vector {
  readonly index: number;
  readonly publicKey: string;
  readonly message: string;
  readonly signature: string;
  readonly valid: boolean;
  readonly secret?: string;
  readonly auxiliary?: string;
}
const file: { readonly vectors: readonly Bip340Vector[] } = JSON.parse(
  readFileSync(new URL("../../../vectors/bip340.json", import.meta.url), "utf8"),
);

const tiny = await loadTinyCurve();
const backends: readonly Curve[] = tiny.ok ? [nobleCurve, tiny.value] : [nobleCurve];

for (const curve of backends) {
  describe(`BIP340 vectors on ${curve.backend}`, () => {
    it("are the 15 with a 32-byte message", () => {
      assert.deepEqual(
        file.vectors.map((vector) => vector.index),
        Array.from({ length: 15 }, (_, i) => i),
      );
      assert.ok(file.vectors.every((vector) => vector.message.length === 64));
    });
    for (const vector of file.vectors) {
      it(`vector ${vector.index} is ${vector.valid ? "valid" : "invalid"}`, () => {
        const [signature, message] = [fromHex(vector.signature), fromHex(vector.message)];
        const key = fromHex(vector.publicKey);
        assert.equal(curve.schnorrVerify(signature, message, key), vector.valid);
        if (vector.secret === undefined || vector.auxiliary === undefined) return;
        const secret = fromHex(vector.secret);
        assert.equal(toHex(curve.xOnlyPublicKey(secret)), vector.publicKey);
        const signed = curve.schnorrSign(message, secret, fromHex(vector.auxiliary));
        assert.equal(toHex(signed), vector.signature);
      });
    }
  });
}

/** The result in words, so that "throws" can be compared too. */
function outcome(run: () => Uint8Array | boolean | undefined): string {
  try {
    const result = run();
    return result instanceof Uint8Array ? toHex(result) : String(result);
  } catch {
    return "throws"; // the error's text is the library's own
  }
}

if (tiny.ok) {
  const other = tiny.value;
  const agree = (run: (curve: Curve) => Uint8Array | boolean | undefined): void =>
    assert.equal(
      outcome(() => run(other)),
      outcome(() => run(nobleCurve)),
    );
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  /** Mostly in range; sometimes small, at or above the order, or of another length. */
  const scalar = fc.oneof(
    { weight: 6, arbitrary: bytes(32) },
    { weight: 1, arbitrary: fc.constantFrom(new Uint8Array(32), ORDER) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 40 }).chain(bytes) },
  );
  const point = fc.oneof(
    { weight: 3, arbitrary: bytes(32).map((s) => nobleCurve.publicKey(s.fill(1, 0, 2))) },
    { weight: 2, arbitrary: bytes(32).map((x) => Uint8Array.of(2 + ((x[0] ?? 0) % 2), ...x)) },
    { weight: 1, arbitrary: bytes(33) },
  );
  const runs = (numRuns: number) => ({ numRuns, seed: 256 });

  describe("noble and tiny-secp256k1 agree on random input", () => {
    it("keys and scalars", () => {
      const property = fc.property(scalar, scalar, (a, b) => {
        agree((curve) => curve.isSecret(a));
        agree((curve) => curve.publicKey(a));
        agree((curve) => curve.xOnlyPublicKey(a));
        agree((curve) => curve.secretAdd(a, b));
        agree((curve) => curve.secretMultiply(a, b));
      });
      fc.assert(property, runs(60));
    });
    it("points", () => {
      const property = fc.property(point, point, scalar, (p, q, k) => {
        agree((curve) => curve.isPoint(p));
        agree((curve) => curve.pointAdd(p, q));
        agree((curve) => curve.pointAddScalar(p, k));
        agree((curve) => curve.pointMultiply(p, k));
      });
      fc.assert(property, runs(50));
    });
    it("ECDSA", () => {
      const property = fc.property(scalar, bytes(32), fc.nat(63), (secret, digest, at) => {
        agree((curve) => curve.ecdsaSign(digest, secret));
        if (!nobleCurve.isSecret(secret)) return;
        const key = nobleCurve.publicKey(secret);
        const signature = other.ecdsaSign(digest, secret);
        assert.ok(nobleCurve.ecdsaVerify(signature, digest, key));
        signature[at] = (signature[at] ?? 0) ^ 1;
        agree((curve) => curve.ecdsaVerify(signature, digest, key));
      });
      fc.assert(property, runs(50));
    });
    it("Schnorr", () => {
      const any = fc.record({ secret: scalar, message: bytes(32), aux: bytes(32), at: fc.nat(63) });
      const property = fc.property(any, ({ secret, message, aux, at }) => {
        agree((curve) => curve.schnorrSign(message, secret, aux));
        if (!nobleCurve.isSecret(secret)) return;
        const key = nobleCurve.xOnlyPublicKey(secret);
        const signature = other.schnorrSign(message, secret, aux);
        assert.ok(nobleCurve.schnorrVerify(signature, message, key));
        signature[at] = (signature[at] ?? 0) ^ 1;
        agree((curve) => curve.schnorrVerify(signature, message, key));
      });
      fc.assert(property, runs(50));
    });
    it("signatures, digests and keys that are random bytes of any length", () => {
      const length = fc.integer({ min: 0, max: 70 }).chain(bytes);
      const property = fc.property(length, length, length, (signature, message, key) => {
        agree((curve) => curve.ecdsaVerify(signature, message, key));
        agree((curve) => curve.schnorrVerify(signature, message, key));
      });
      fc.assert(property, runs(100));
    });
  });
}
