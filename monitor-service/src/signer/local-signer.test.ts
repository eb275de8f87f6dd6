import assert from "node:assert/strict";
import { sha256 } from "@noble/hashes/sha2.js";
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { must } from "@farwatch/protocol/assert";
import { concatBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import { txid } from "@farwatch/protocol/ids";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { derivePublicKey, deriveRevocationPublicKey } from "../bolt/keys.js";
import type { SigningKey } from "../monitor/effect.js";
import { channelMaster, channelSecrets } from "./derive-keys.js";
import { LocalSigner, MAX_CACHED_CHANNELS } from "./local-signer.js";

interface KeyVector {
  readonly seed: string;
  readonly channel_keys_id: string;
  readonly funding_pubkey: string;
  readonly revocation_basepoint: string;
  readonly payment_point: string;
  readonly delayed_payment_basepoint: string;
  readonly htlc_basepoint: string;
}
const vectors: { readonly keys: readonly KeyVector[] } = JSON.parse(
  readFileSync(new URL("../../../../test/vectors/ldk-keys.json", import.meta.url), "utf8"),
);

const seed = new Uint8Array(32).fill(1);
const keysId = new Uint8Array(32).fill(7);
const digest = new Uint8Array(32).fill(0x5d);
const commitmentSecret = new Uint8Array(32).fill(0x21);
const point = nobleCurve.publicKey(commitmentSecret);

describe("local signer", () => {
  for (const vector of vectors.keys) {
    it(`derives LDK's keys for channel_keys_id ${vector.channel_keys_id}`, () => {
      const signer = new LocalSigner(nobleCurve, fromHex(vector.seed));
      const keys = signer.pubkeys(fromHex(vector.channel_keys_id));
      assert.equal(toHex(keys.fundingPubkey), vector.funding_pubkey);
      assert.equal(toHex(keys.revocationBasepoint), vector.revocation_basepoint);
      assert.equal(toHex(keys.paymentPoint), vector.payment_point);
      assert.equal(toHex(keys.delayedPaymentBasepoint), vector.delayed_payment_basepoint);
      assert.equal(toHex(keys.htlcBasepoint), vector.htlc_basepoint);
    });
  }

  it("signs with the key that each task names", () => {
    const signer = new LocalSigner(nobleCurve, seed);
    const keys = signer.pubkeys(keysId);
    const cases: readonly (readonly [SigningKey, Uint8Array])[] = [
      [{ kind: "funding", spliceParent: undefined }, keys.fundingPubkey],
      [{ kind: "payment" }, keys.paymentPoint],
      [
        { kind: "delayed", perCommitmentPoint: point },
        derivePublicKey(nobleCurve, keys.delayedPaymentBasepoint, point),
      ],
      [
        { kind: "htlc", perCommitmentPoint: point },
        derivePublicKey(nobleCurve, keys.htlcBasepoint, point),
      ],
      [
        { kind: "revocation", perCommitmentSecret: commitmentSecret },
        deriveRevocationPublicKey(nobleCurve, keys.revocationBasepoint, point),
      ],
    ];
    const signatures = signer.sign(
      keysId,
      cases.map(([key]) => ({ key, digest })),
    );
    cases.forEach(([key, publicKey], index) => {
      const signature = must(signatures[index], "signature");
      assert.ok(nobleCurve.ecdsaVerify(signature, digest, publicKey), key.kind);
    });
  });

  it("signs for a splice with the base funding key plus SHA256(parent txid | base key)", () => {
    const signer = new LocalSigner(nobleCurve, seed);
    const base = channelSecrets(nobleCurve, seed, channelMaster(nobleCurve, seed), keysId).funding;
    const parent = txid("01".repeat(31) + "ff");
    // The txid stands reversed in transactions, and LDK hashes it as it stands there.
    const hashed = sha256(concatBytes(Uint8Array.of(0xff, ...new Uint8Array(31).fill(1)), base));
    const expected = nobleCurve.publicKey(must(nobleCurve.secretAdd(base, hashed), "key"));
    assert.deepEqual(signer.pubkeys(keysId, parent).fundingPubkey, expected);
    assert.notDeepEqual(signer.pubkeys(keysId).fundingPubkey, expected);
    const key = { kind: "funding", spliceParent: parent } as const;
    const [signature] = signer.sign(keysId, [{ key, digest }]);
    assert.ok(nobleCurve.ecdsaVerify(must(signature, "signature"), digest, expected));
  });

  it("gives the same signature for the same task", () => {
    const tasks = [{ key: { kind: "funding" as const, spliceParent: undefined }, digest }];
    const first = new LocalSigner(nobleCurve, seed).sign(keysId, tasks);
    const second = new LocalSigner(nobleCurve, seed).sign(keysId, tasks);
    assert.deepEqual(first, second);
  });

  it("derives again what its bounded cache let go", () => {
    const signer = new LocalSigner(nobleCurve, seed);
    const tasks = [{ key: { kind: "payment" as const }, digest }];
    const first = signer.sign(keysId, tasks);
    for (let other = 0; other <= MAX_CACHED_CHANNELS; other++) {
      const id = new Uint8Array(32);
      new DataView(id.buffer).setUint32(4, other);
      signer.sign(id, []);
    }
    assert.deepEqual(signer.sign(keysId, tasks), first);
  });

  it("is not changed when the caller overwrites the seed it passed", () => {
    const given = Uint8Array.from(seed);
    const signer = new LocalSigner(nobleCurve, given);
    given.fill(0);
    assert.deepEqual(signer.pubkeys(keysId), new LocalSigner(nobleCurve, seed).pubkeys(keysId));
  });

  it("shows no secret when printed, inspected, serialized or spread", () => {
    const signer = new LocalSigner(nobleCurve, seed);
    signer.sign(keysId, [{ key: { kind: "funding", spliceParent: undefined }, digest }]);
    const shown = [
      String(signer),
      inspect(signer, { depth: 9, showHidden: true }),
      JSON.stringify(signer),
      JSON.stringify({ ...signer }),
    ].join("\n");
    const secrets = channelSecrets(nobleCurve, seed, channelMaster(nobleCurve, seed), keysId);
    for (const secret of [seed, ...Object.values(secrets)]) {
      assert.ok(!shown.includes(toHex(secret)));
      assert.ok(!shown.includes(secret.join(",")));
      assert.ok(!shown.includes(secret.slice(0, 8).join(", ")));
    }
  });

  it("refuses a seed, a digest or a channel_keys_id of the wrong length without showing it", () => {
    const signer = new LocalSigner(nobleCurve, seed);
    const short = new Uint8Array(31).fill(0xab);
    const key = { kind: "funding", spliceParent: undefined } as const;
    for (const attempt of [
      () => new LocalSigner(nobleCurve, short),
      () => signer.pubkeys(short),
      () => signer.sign(keysId, [{ key, digest: short }]),
    ]) {
      assert.throws(attempt, (error) => error instanceof Error && !/abab|171/.test(error.message));
    }
  });
});
