/** The start-up self-test catches every method that is broken on its own; doubt always ends at noble. */
import assert from "node:assert/strict";
import { concatBytes } from "../bytes.js";
import { err, ok } from "../result.js";
import type { Curve } from "./curve.js";
import { nobleCurve } from "./noble-curve.js";
import { selectCurve, selfTest } from "./select-curve.js";
import { negateS } from "./select-curve-cases.js";
import { loadTinyCurve } from "./tiny-curve.js";

const base = nobleCurve;
const tiny = await loadTinyCurve();

const odd = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));

/** A high S is made low first, so that the mistake is only that it is accepted. */
const acceptsHighS: Curve["ecdsaVerify"] = (signature, digest, key) => {
  if (base.ecdsaVerify(signature, digest, key)) return true;
  const s = signature[32] ?? 0;
  return signature.length === 64 && s >= 0x80 && s < 0xff
    ? base.ecdsaVerify(negateS(signature), digest, key)
    : false;
};

const BROKEN: Readonly<Record<string, Partial<Curve>>> = {
  "accepts high S": { ecdsaVerify: acceptsHighS },
  "accepts every Schnorr signature": { schnorrVerify: () => true },
  "accepts every ECDSA signature": { ecdsaVerify: () => true },
  "rejects every Schnorr signature": { schnorrVerify: () => false },
  "rejects every ECDSA signature": { ecdsaVerify: () => false },
  "accepts a 65-byte Schnorr signature": {
    schnorrVerify: (signature, message, key) =>
      base.schnorrVerify(signature.subarray(0, 64), message, key),
  },
  "accepts a 65-byte ECDSA signature": {
    ecdsaVerify: (signature, digest, key) =>
      base.ecdsaVerify(signature.subarray(0, 64), digest, key),
  },
  "takes a compressed key for an x-only key": {
    schnorrVerify: (signature, message, key) =>
      base.schnorrVerify(signature, message, key.subarray(-32)),
  },
  "throws on a malformed signature": {
    ecdsaVerify(signature, digest, key) {
      if (signature.length !== 64) throw new Error("bad signature");
      return base.ecdsaVerify(signature, digest, key);
    },
  },
  "ignores the auxiliary randomness": {
    schnorrSign: (message, secret) => base.schnorrSign(message, secret, new Uint8Array(32)),
  },
  "takes a short auxiliary value": {
    schnorrSign: (message, secret, auxiliary) =>
      base.schnorrSign(message, secret, concatBytes(auxiliary, new Uint8Array(32)).slice(0, 32)),
  },
  "signs with high S": {
    ecdsaSign: (digest, secret) => negateS(base.ecdsaSign(digest, secret)),
  },
  "accepts the order as a secret": {
    isSecret: (secret) => secret.length === 32 && secret.some((byte) => byte !== 0),
  },
  "accepts any 33 bytes as a point": {
    isPoint: (p) => p.length === 33 && (p[0] === 2 || p[0] === 3),
  },
  "accepts an uncompressed point": {
    isPoint: (p) => base.isPoint(p) || p.length === 65,
  },
  "wrong parity": {
    publicKey: (secret) => odd(base.publicKey(secret)),
  },
  "x-only of another point": { xOnlyPublicKey: (secret) => odd(base.xOnlyPublicKey(secret)) },
  "adds instead of multiplying": { pointMultiply: (p, k) => base.pointAddScalar(p, k) },
  "multiplies instead of adding": { pointAddScalar: (p, k) => base.pointMultiply(p, k) },
  "throws at infinity": {
    pointAdd(p, q) {
      const sum = base.pointAdd(p, q);
      if (sum === undefined) throw new Error("infinity");
      return sum;
    },
  },
  "zero instead of nothing": { secretAdd: (a, b) => base.secretAdd(a, b) ?? new Uint8Array(32) },
  "a factor dropped": { secretMultiply: (a) => a },
};

describe("curve self-test", () => {
  it("passes noble against itself", () => {
    const result = selfTest(base, base);
    assert.ok(result.ok);
    assert.ok(result.value > 200, `${result.value} cases`);
  });

  for (const [name, broken] of Object.entries(BROKEN)) {
    it(`catches a curve that ${name}`, () => {
      assert.equal(selfTest(base, { ...base, ...broken }).ok, false);
    });
  }

  it("catches a reference that is wrong in the same way", () => {
    const wrong: Curve = { ...base, publicKey: (secret) => odd(base.publicKey(secret)) };
    const result = selfTest(wrong, wrong);
    assert.ok(!result.ok);
    assert.equal(result.error.caseName, "public key of 1");
  });
});

describe("selectCurve", () => {
  const absent = () =>
    Promise.resolve(err({ kind: "missing" as const, message: "it is not installed" }));
  const broken = () =>
    Promise.resolve(ok<Curve>({ ...base, backend: "tiny-secp256k1", schnorrVerify: () => true }));
  const sound = () => Promise.resolve(ok<Curve>({ ...base, backend: "tiny-secp256k1" }));

  it("takes noble without a look at the module when told so", async () => {
    const selected = await selectCurve("noble", () =>
      Promise.reject(new Error("not to be loaded")),
    );
    assert.equal(selected.curve, base);
  });
  it("falls back to noble in auto when the module is absent or broken, and says why", async () => {
    for (const [load, why] of [
      [absent, /not installed/],
      [broken, /self-test failed at/],
    ] as const) {
      const selected = await selectCurve("auto", load);
      assert.equal(selected.curve.backend, "noble");
      assert.match(selected.reason, why);
    }
  });
  it("fails clearly when the module was asked for by name", async () => {
    await assert.rejects(selectCurve("tiny-secp256k1", absent), {
      name: "CurveUnavailable",
      message: /asked for.*not installed/,
    });
    await assert.rejects(selectCurve("tiny-secp256k1", broken), /self-test failed at/);
  });
  it("takes a module that agrees", async () => {
    for (const preference of ["auto", "tiny-secp256k1"] as const) {
      const selected = await selectCurve(preference, sound);
      assert.equal(selected.curve.backend, "tiny-secp256k1");
      assert.match(selected.reason, /agrees with noble on \d+ self-test cases/);
    }
  });
  it("selects the installed module, or noble where there is none", async () => {
    const selected = await selectCurve("auto");
    assert.equal(selected.curve.backend, tiny.ok ? "tiny-secp256k1" : "noble");
  });
});
