/**
 * The compact store of secrets against a plain list (reliability P-11), for any seed: what was inserted
 * can be derived again, nothing else can, and a single wrong bit is found by the insert that reveals it.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  NO_INDEX_SEEN,
  deriveSecret,
  emptySecretStore,
  insertSecret,
  minSeenIndex,
  secretFromSeed,
  type SecretStore,
} from "./per-commitment-secrets.js";

const SEED = 20_261_124;
const LIST_RUNS = 20;
/** Runs for each bucket. */
const BIT_RUNS = 8;
/** Buckets 0 to 6 are in use after that many. */
const MOST_STEPS = 72;
const INDEX_BITS = 48;
const SECRET_BITS = 256;
const TOP = NO_INDEX_SEEN - 1n;

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });

function inserted(store: SecretStore, index: bigint, secret: Uint8Array): SecretStore {
  const result = insertSecret(store, index, secret);
  assert.ok(result.ok, `insert ${index}`);
  return result.value;
}

const withFlippedBit = (secret: Uint8Array, bit: number): Uint8Array =>
  secret.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

/** An index of the bucket (exactly so many low zero bits), and the next below that derives it. */
function pairOf(bucket: number, random: bigint): { readonly index: bigint; readonly next: bigint } {
  const high = BigInt.asUintN(INDEX_BITS - bucket - 1, random);
  const next = high << BigInt(bucket + 1);
  return { index: next | (1n << BigInt(bucket)), next };
}

/** Seed, any index bits, and which bit of the secret is wrong. */
const lies = [
  seeds,
  fc.bigInt({ min: 0n, max: TOP }),
  fc.integer({ min: 0, max: SECRET_BITS - 1 }),
] as const;

const checked = (property: (seed: Uint8Array, random: bigint, bit: number) => void): void => {
  fc.assert(fc.property(...lies, property), { seed: SEED, numRuns: BIT_RUNS });
};

describe("per-commitment secrets of any seed", () => {
  it("are the same as in a plain list after every insert, and none below is known", () => {
    const steps = fc.integer({ min: 1, max: MOST_STEPS });
    fc.assert(
      fc.property(seeds, steps, (seed, count) => {
        let store = emptySecretStore();
        const list: Uint8Array[] = [];
        for (let step = 0; step < count; step++) {
          const lowest = TOP - BigInt(step);
          const secret = secretFromSeed(seed, lowest);
          list.push(secret);
          store = inserted(store, lowest, secret);
          const derived = list.map((_, earlier) => deriveSecret(store, TOP - BigInt(earlier)));
          assert.deepEqual(derived, list);
          assert.equal(deriveSecret(store, lowest - 1n), undefined);
          assert.equal(minSeenIndex(store), lowest);
        }
      }),
      { seed: SEED, numRuns: LIST_RUNS },
    );
  });

  for (let bucket = 0; bucket < INDEX_BITS; bucket++) {
    it(`one wrong bit in bucket ${bucket} is found when a later secret reveals it`, () => {
      checked((seed, random, bit) => {
        const { index, next } = pairOf(bucket, random);
        const wrong = withFlippedBit(secretFromSeed(seed, index), bit);
        const lied = inserted(emptySecretStore(), index, wrong);
        const found = insertSecret(lied, next, secretFromSeed(seed, next));
        assert.deepEqual(found, { ok: false, error: { code: "invalidSecret" } });
      });
    });

    it(`one wrong bit in what follows bucket ${bucket} is found at once`, () => {
      checked((seed, random, bit) => {
        const { index, next } = pairOf(bucket, random);
        const honest = inserted(emptySecretStore(), index, secretFromSeed(seed, index));
        const wrong = withFlippedBit(secretFromSeed(seed, next), bit);
        assert.deepEqual(insertSecret(honest, next, wrong), {
          ok: false,
          error: { code: "invalidSecret" },
        });
        inserted(honest, next, secretFromSeed(seed, next));
      });
    });
  }
});
