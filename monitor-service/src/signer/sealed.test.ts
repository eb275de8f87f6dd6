import assert from "node:assert/strict";
import { toHex, utf8 } from "@farwatch/protocol/bytes";
import {
  isSealed,
  MAX_COST,
  MIN_COST,
  MIN_PASSPHRASE_BYTES,
  seal,
  SealError,
  unseal,
  type SealProblem,
} from "./sealed.js";

const secret = Uint8Array.from({ length: 40 }, (_, index) => 0xa0 + index);
const passphrase = utf8("correct horse battery");
/** Cheap, because these tests derive hundreds of keys. */
const sealed = seal(secret, passphrase, "seed", MIN_COST);
const COST_AT = 16;
const SALT_AT = 18;
const CHECKSUM_AT = 62;

const problemOf = (work: () => unknown): SealProblem | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    assert.ok(!error.message.includes("horse") && !error.message.includes("a0a1"));
    return error.problem;
  }
};
const changed = (at: number, by = 1): Uint8Array => sealed.map((b, i) => (i === at ? b ^ by : b));

describe("sealed secrets", () => {
  it("open with the passphrase and the purpose they were sealed with", () => {
    assert.deepEqual(unseal(sealed, passphrase, "seed"), secret);
    assert.ok(isSealed(sealed) && !isSealed(secret));
    const empty = seal(new Uint8Array(), passphrase, "seed", MIN_COST);
    assert.deepEqual(unseal(empty, passphrase, "seed"), new Uint8Array());
  });

  it("do not show what they hold, and look different every time", () => {
    assert.ok(!toHex(sealed).includes(toHex(secret.slice(0, 6))));
    const again = seal(secret, passphrase, "seed", MIN_COST);
    assert.notDeepEqual(again.slice(SALT_AT, SALT_AT + 16), sealed.slice(SALT_AT, SALT_AT + 16));
    assert.notDeepEqual(again.slice(CHECKSUM_AT), sealed.slice(CHECKSUM_AT));
  });

  it("tell a wrong passphrase from damage", () => {
    assert.equal(
      problemOf(() => unseal(sealed, utf8("correct horse batterz"), "seed")),
      "wrongPassphrase",
    );
    assert.equal(
      problemOf(() => unseal(sealed, passphrase, "channelKeys")),
      "otherPurpose",
    );
  });

  it("do not open after the change of any byte, or cut short at any", () => {
    for (let at = 0; at < sealed.length; at++) {
      const expected = at < COST_AT ? "notSealed" : "damaged";
      for (const by of [1, 0x80]) {
        assert.equal(
          problemOf(() => unseal(changed(at, by), passphrase, "seed")),
          expected,
          `byte ${at}`,
        );
      }
      const short = at < COST_AT ? "notSealed" : "damaged";
      assert.equal(
        problemOf(() => unseal(sealed.slice(0, at), passphrase, "seed")),
        short,
        `cut at ${at}`,
      );
    }
  });

  it("refuse a short passphrase when sealed, at its limit", () => {
    const short = new Uint8Array(MIN_PASSPHRASE_BYTES - 1).fill(0x61);
    const enough = new Uint8Array(MIN_PASSPHRASE_BYTES).fill(0x61);
    assert.equal(
      problemOf(() => seal(secret, short, "seed", MIN_COST)),
      "weak",
    );
    assert.deepEqual(unseal(seal(secret, enough, "seed", MIN_COST), enough, "seed"), secret);
  });

  it("are taken for damaged at a cost outside the limits, before any key is derived", () => {
    for (const cost of [MIN_COST - 1, MAX_COST + 1]) {
      const made = seal(secret, passphrase, "seed", Math.min(cost, MIN_COST - 1));
      made[COST_AT] = cost;
      assert.equal(
        problemOf(() => unseal(made, passphrase, "seed")),
        "damaged",
      );
    }
    const cheapest = seal(secret, passphrase, "seed", MIN_COST - 1);
    assert.equal(
      problemOf(() => unseal(cheapest, passphrase, "seed")),
      "damaged",
      "with an intact header too",
    );
  });
});
