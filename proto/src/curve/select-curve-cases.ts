/**
 * The inputs of the curve self-test. Known answers are facts of SEC 2 and BIP340; every other case has
 * no known answer, two curves must agree on it. The invalid inputs are those that libraries are known
 * to judge differently: high S, values at the order, uncompressed keys, wrong lengths.
 */
import { concatBytes, fromHex } from "../bytes.js";
import type { Curve } from "./curve.js";
import { SeededBytes } from "./select-curve-random.js";

/** One call. `expected` is a known answer in hex, or "true" or "false". */
export interface CurveCase {
  readonly name: string;
  readonly run: (curve: Curve) => Uint8Array | boolean | undefined;
  readonly expected?: string;
}

/** Order of the group (SEC 2). */
export const ORDER = fromHex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
/** Characteristic of the field (SEC 2). */
const FIELD = fromHex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f");
const ZERO = new Uint8Array(32);
const ONE = fromHex("01".padStart(64, "0"));
const ORDER_MINUS_ONE = fromHex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140");
const MAX = new Uint8Array(32).fill(0xff);
const G = fromHex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
const MINUS_G = fromHex("0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
const UNCOMPRESSED_G = fromHex(
  "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
);
/** BIP340 vector 5: no point has this x. */
const OFF_CURVE_X = fromHex("eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34");

const integer = (bytes: Uint8Array): bigint =>
  bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
const toBytes = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, "0"));
/** n - s: the other valid S of an ECDSA signature. */
export const negateS = (signature: Uint8Array): Uint8Array =>
  concatBytes(signature.subarray(0, 32), toBytes(integer(ORDER) - integer(signature.subarray(32))));
const prefixed = (prefix: number, x: Uint8Array): Uint8Array =>
  concatBytes(Uint8Array.of(prefix), x);
const flip = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));

const KNOWN: readonly CurveCase[] = [
  {
    name: "public key of 1",
    run: (c) => c.publicKey(ONE),
    expected: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
  },
  {
    name: "G + G",
    run: (c) => c.pointAdd(G, G),
    expected: "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
  },
  {
    name: "BIP340 key of vector 0",
    run: (c) => c.xOnlyPublicKey(fromHex("03".padStart(64, "0"))),
    expected: "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
  },
  {
    name: "BIP340 signature of vector 0",
    run: (c) => c.schnorrSign(ZERO, fromHex("03".padStart(64, "0")), ZERO),
    expected:
      "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215" +
      "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0",
  },
  { name: "n is no secret", run: (c) => c.isSecret(ORDER), expected: "false" },
  { name: "0 is no secret", run: (c) => c.isSecret(ZERO), expected: "false" },
  { name: "n - 1 is a secret", run: (c) => c.isSecret(ORDER_MINUS_ONE), expected: "true" },
  { name: "G is a point", run: (c) => c.isPoint(G), expected: "true" },
];

const BAD_POINTS: readonly (readonly [string, Uint8Array])[] = [
  ["x off the curve", prefixed(2, OFF_CURVE_X)],
  ["x = 0", prefixed(2, ZERO)],
  ["x = p", prefixed(3, FIELD)],
  ["prefix 4 on 33 bytes", prefixed(4, G.subarray(1))],
  ["prefix 0 on 33 bytes", prefixed(0, G.subarray(1))],
  ["32 bytes", G.subarray(1)],
  ["34 bytes", concatBytes(G, ZERO.subarray(0, 1))],
  ["65 bytes", UNCOMPRESSED_G],
  ["65 bytes, hybrid prefix", concatBytes(Uint8Array.of(6), UNCOMPRESSED_G.subarray(1))],
  ["no bytes", new Uint8Array(0)],
];
const ODD_SCALARS: readonly (readonly [string, Uint8Array])[] = [
  ["0", ZERO],
  ["n", ORDER],
  ["2^256 - 1", MAX],
  ["31 bytes", ONE.subarray(1)],
  ["33 bytes", prefixed(0, ONE)],
];

function pointAndScalarEdges(): CurveCase[] {
  const cases: CurveCase[] = [
    { name: "G - G", run: (c) => c.pointAdd(G, MINUS_G) },
    { name: "G + (n-1)G", run: (c) => c.pointAddScalar(G, ORDER_MINUS_ONE) },
    { name: "1 + (n-1)", run: (c) => c.secretAdd(ONE, ORDER_MINUS_ONE) },
    { name: "(n-1)G", run: (c) => c.pointMultiply(G, ORDER_MINUS_ONE) },
  ];
  for (const [name, point] of BAD_POINTS) {
    cases.push(
      { name: `isPoint: ${name}`, run: (c) => c.isPoint(point) },
      { name: `pointAdd: ${name}`, run: (c) => c.pointAdd(G, point) },
      { name: `pointAddScalar: ${name}`, run: (c) => c.pointAddScalar(point, ONE) },
      { name: `pointMultiply: ${name}`, run: (c) => c.pointMultiply(point, ONE) },
    );
  }
  for (const [name, scalar] of ODD_SCALARS) {
    cases.push(
      { name: `isSecret: ${name}`, run: (c) => c.isSecret(scalar) },
      { name: `publicKey: ${name}`, run: (c) => c.publicKey(scalar) },
      { name: `xOnlyPublicKey: ${name}`, run: (c) => c.xOnlyPublicKey(scalar) },
      { name: `pointAddScalar: ${name}`, run: (c) => c.pointAddScalar(G, scalar) },
      { name: `pointMultiply: ${name}`, run: (c) => c.pointMultiply(G, scalar) },
      { name: `secretAdd: ${name}`, run: (c) => c.secretAdd(ONE, scalar) },
      { name: `secretMultiply: ${name}`, run: (c) => c.secretMultiply(ORDER_MINUS_ONE, scalar) },
      { name: `ecdsaSign: ${name}`, run: (c) => c.ecdsaSign(ONE, scalar) },
      { name: `schnorrSign: ${name}`, run: (c) => c.schnorrSign(ONE, scalar, ZERO) },
    );
  }
  return cases;
}

/** ECDSA: digests around n, high S, values out of range, wrong lengths. */
function ecdsaEdges(reference: Curve): CurveCase[] {
  const digest = fromHex("5a".repeat(32));
  const good = reference.ecdsaSign(digest, ONE);
  const [r, s] = [good.subarray(0, 32), good.subarray(32)];
  const bad: readonly (readonly [string, Uint8Array, Uint8Array, Uint8Array])[] = [
    ["high S", negateS(good), digest, G],
    ["r = 0", concatBytes(ZERO, s), digest, G],
    ["r = n", concatBytes(ORDER, s), digest, G],
    ["s = 0", concatBytes(r, ZERO), digest, G],
    ["s = n", concatBytes(r, ORDER), digest, G],
    ["63 bytes", good.subarray(1), digest, G],
    ["65 bytes", concatBytes(good, ONE.subarray(0, 1)), digest, G],
    ["other digest", good, flip(digest), G],
    ["31-byte digest", good, digest.subarray(1), G],
    ["other key", good, digest, MINUS_G],
    ["key off the curve", good, digest, prefixed(2, OFF_CURVE_X)],
    ["x-only key", good, digest, G.subarray(1)],
  ];
  return [
    { name: "ecdsaVerify", run: (c) => c.ecdsaVerify(good, digest, G), expected: "true" },
    ...bad.map(([name, signature, message, key]) => ({
      name: `ecdsaVerify: ${name}`,
      run: (c: Curve) => c.ecdsaVerify(signature, message, key),
      expected: "false",
    })),
    ...[ZERO, ORDER, ORDER_MINUS_ONE, MAX].flatMap((message) => [
      { name: "ecdsaSign: edge digest", run: (c: Curve) => c.ecdsaSign(message, ONE) },
      {
        name: "ecdsaVerify: edge digest",
        run: (c: Curve) => c.ecdsaVerify(reference.ecdsaSign(message, ONE), message, G),
        expected: "true",
      },
    ]),
  ];
}

function schnorrEdges(reference: Curve): CurveCase[] {
  const message = fromHex("a5".repeat(32));
  const key = G.subarray(1);
  const good = reference.schnorrSign(message, ONE, ZERO);
  const [r, s] = [good.subarray(0, 32), good.subarray(32)];
  const bad: readonly (readonly [string, Uint8Array, Uint8Array, Uint8Array])[] = [
    ["negated s", negateS(good), message, key],
    ["r = 0", concatBytes(ZERO, s), message, key],
    ["r = p", concatBytes(FIELD, s), message, key],
    ["r off the curve", concatBytes(OFF_CURVE_X, s), message, key],
    ["s = 0", concatBytes(r, ZERO), message, key],
    ["s = n", concatBytes(r, ORDER), message, key],
    ["63 bytes", good.subarray(1), message, key],
    ["65 bytes", concatBytes(good, ONE.subarray(0, 1)), message, key],
    ["other message", good, flip(message), key],
    ["31-byte message", good, message.subarray(1), key],
    ["compressed key", good, message, G],
    ["key off the curve", good, message, OFF_CURVE_X],
    ["key = p", good, message, FIELD],
  ];
  return [
    { name: "schnorrVerify", run: (c) => c.schnorrVerify(good, message, key), expected: "true" },
    ...bad.map(([name, signature, text, publicKey]) => ({
      name: `schnorrVerify: ${name}`,
      run: (c: Curve) => c.schnorrVerify(signature, text, publicKey),
      expected: "false",
    })),
    { name: "schnorrSign: 31-byte aux", run: (c) => c.schnorrSign(message, ONE, ZERO.subarray(1)) },
  ];
}

/** Every method once, on inputs drawn from the fixed seed. */
function randomRound(reference: Curve, random: SeededBytes): CurveCase[] {
  const [a, b, digest, aux] = [random.next(), random.next(), random.next(), random.next()];
  const [p, q] = [reference.publicKey(a), reference.publicKey(b)];
  const key = reference.xOnlyPublicKey(a);
  const ecdsa = reference.ecdsaSign(digest, a);
  const schnorr = reference.schnorrSign(digest, a, aux);
  return [
    { name: "publicKey", run: (c) => c.publicKey(a) },
    { name: "xOnlyPublicKey", run: (c) => c.xOnlyPublicKey(b) },
    { name: "isSecret", run: (c) => c.isSecret(a) },
    { name: "isPoint", run: (c) => c.isPoint(prefixed(2, digest)) },
    { name: "pointAdd", run: (c) => c.pointAdd(p, q) },
    { name: "pointAddScalar", run: (c) => c.pointAddScalar(p, b) },
    { name: "pointMultiply", run: (c) => c.pointMultiply(p, b) },
    { name: "secretAdd", run: (c) => c.secretAdd(a, b) },
    { name: "secretMultiply", run: (c) => c.secretMultiply(a, b) },
    { name: "ecdsaSign", run: (c) => c.ecdsaSign(digest, a) },
    { name: "ecdsaVerify", run: (c) => c.ecdsaVerify(ecdsa, digest, p) },
    { name: "ecdsaVerify: flipped", run: (c) => c.ecdsaVerify(flip(ecdsa), digest, p) },
    { name: "schnorrSign", run: (c) => c.schnorrSign(digest, a, aux) },
    { name: "schnorrVerify", run: (c) => c.schnorrVerify(schnorr, digest, key) },
    { name: "schnorrVerify: flipped", run: (c) => c.schnorrVerify(flip(schnorr), digest, key) },
  ];
}

/** Enough rounds to meet both parities of every point in practice; about 10 ms each with noble. */
export const RANDOM_ROUNDS = 8;

/** All cases; signatures and keys in them are made with `reference`. */
export function curveCases(reference: Curve): CurveCase[] {
  const random = new SeededBytes("farwatch curve self-test");
  const rounds = Array.from({ length: RANDOM_ROUNDS }, () => randomRound(reference, random));
  return [
    ...KNOWN,
    ...pointAndScalarEdges(),
    ...ecdsaEdges(reference),
    ...schnorrEdges(reference),
    ...rounds.flat(),
  ];
}
