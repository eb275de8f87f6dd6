/** BOLT 3 appendix D, and the edges it leaves out. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { appendixD } from "./bolt3-vectors.test.js";
import {
  NO_INDEX_SEEN,
  deriveSecret,
  emptySecretStore,
  insertSecret,
  minSeenIndex,
  secretFromSeed,
  type SecretStore,
} from "./per-commitment-secrets.js";

const SEED = new Uint8Array(32).fill(0xff);
const TOP = NO_INDEX_SEEN - 1n;

function inserted(store: SecretStore, index: bigint, secret: Uint8Array): SecretStore {
  const result = insertSecret(store, index, secret);
  assert.ok(result.ok, `insert ${index}`);
  return result.value;
}

function storeOf(count: number, seed = SEED): SecretStore {
  let store = emptySecretStore();
  for (let i = 0n; i < BigInt(count); i++) {
    store = inserted(store, TOP - i, secretFromSeed(seed, TOP - i));
  }
  return store;
}

describe("per-commitment secrets", () => {
  for (const vector of appendixD.generation) {
    it(`BOLT 3 appendix D: ${vector.name}`, () => {
      const secret = secretFromSeed(fromHex(vector.seed), BigInt(vector.index));
      assert.equal(toHex(secret), vector.output);
    });
  }

  for (const vector of appendixD.storage) {
    it(`BOLT 3 appendix D: ${vector.name}`, () => {
      let store = emptySecretStore();
      for (const step of vector.inserts) {
        const index = BigInt(step.index);
        const result = insertSecret(store, index, fromHex(step.secret));
        assert.equal(result.ok, step.valid, `index ${step.index}`);
        if (!result.ok) {
          assert.deepEqual(result.error, { code: "invalidSecret" });
          assert.notEqual(minSeenIndex(store), index);
          continue;
        }
        store = result.value;
        assert.equal(minSeenIndex(store), index);
        assert.equal(toHex(must(deriveSecret(store, index), "just stored")), step.secret);
      }
    });
  }

  it("derives each of 300 secrets again and nothing below them", () => {
    const store = storeOf(300);
    for (let i = 0n; i < 300n; i++) {
      const secret = must(deriveSecret(store, TOP - i), "stored");
      assert.deepEqual(secret, secretFromSeed(SEED, TOP - i));
    }
    assert.equal(deriveSecret(store, TOP - 300n), undefined);
    assert.equal(minSeenIndex(store), TOP - 299n);
    assert.equal(store.slots.length, 49);
    assert.ok(store.slots.filter((slot) => slot !== undefined).length <= 9);
  });

  it("keeps nothing in an empty store", () => {
    assert.equal(minSeenIndex(emptySecretStore()), 1n << 48n);
    assert.equal(deriveSecret(emptySecretStore(), TOP), undefined);
  });

  it("takes a repeated secret without a change and refuses another one for the same index", () => {
    const store = storeOf(6);
    for (let i = 0n; i < 6n; i++) {
      const again = insertSecret(store, TOP - i, secretFromSeed(SEED, TOP - i));
      assert.ok(again.ok);
      assert.equal(again.value, store);
      const wrong = insertSecret(store, TOP - i, new Uint8Array(32));
      assert.deepEqual(wrong, { ok: false, error: { code: "invalidSecret" } });
    }
  });

  it("does not change the store it was given, nor keep the caller's bytes", () => {
    const secret = secretFromSeed(SEED, TOP);
    const before = emptySecretStore();
    const after = inserted(before, TOP, secret);
    secret.fill(0);
    assert.equal(minSeenIndex(before), 1n << 48n);
    assert.deepEqual(deriveSecret(after, TOP), secretFromSeed(SEED, TOP));
  });

  it("accepts a store that starts in the middle of a channel's life", () => {
    const first = TOP - 41n;
    let store = inserted(emptySecretStore(), first, secretFromSeed(SEED, first));
    store = inserted(store, first - 1n, secretFromSeed(SEED, first - 1n));
    assert.deepEqual(deriveSecret(store, first), secretFromSeed(SEED, first));
    assert.equal(deriveSecret(store, TOP), undefined);
  });

  it("derives everything from the secret of index 0, which is the seed", () => {
    const store = inserted(storeOf(3), 0n, SEED);
    assert.equal(minSeenIndex(store), 0n);
    const other = TOP / 3n;
    assert.deepEqual(deriveSecret(store, other), secretFromSeed(SEED, other));
    const lie = insertSecret(storeOf(3), 0n, new Uint8Array(32));
    assert.equal(lie.ok, false);
  });

  it("refuses a secret of another length and rejects indices outside 48 bits", () => {
    assert.equal(insertSecret(emptySecretStore(), TOP, new Uint8Array(31)).ok, false);
    assert.equal(insertSecret(emptySecretStore(), TOP, new Uint8Array(33)).ok, false);
    assert.throws(() => insertSecret(emptySecretStore(), TOP + 1n, SEED), /48 bits/);
    assert.throws(() => deriveSecret(emptySecretStore(), -1n), /48 bits/);
    assert.throws(() => secretFromSeed(SEED, TOP + 1n), /48 bits/);
    assert.throws(() => secretFromSeed(new Uint8Array(31), 0n), /32 bytes/);
  });
});
