import assert from "node:assert/strict";
import { sha256 } from "@noble/hashes/sha2.js";
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { must } from "@farwatch/protocol/assert";
import { concatBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { channelId, commitmentNumber, txid, type Txid } from "@farwatch/protocol/ids";
import { derivePublicKey, deriveRevocationPublicKey } from "@farwatch/protocol/bolt/keys";
import type { SigningKey } from "../monitor/effect.js";
import { channelMaster, channelSecrets, hardenedChild, masterSecret } from "./derive-keys.js";
import { MemoryFloors, SigningRefused } from "./holder-floors.js";
import { firstOf, SeedKeys, type KeySource } from "./key-source.js";
import { LocalSigner, MAX_CACHED_CHANNELS } from "./local-signer.js";

interface KeyVector {
  readonly seed: string;
  readonly channel_keys_id: string;
  readonly funding_pubkey: string;
  readonly revocation_basepoint: string;
  readonly payment_point: string;
  readonly payment_point_v2: string;
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
const CHANNEL = channelId("c1".repeat(32));
const ANCHOR = { kind: "anchor", spliceParent: undefined } as const;

const signerOf = (keys: KeySource, floors = new MemoryFloors()): LocalSigner =>
  new LocalSigner(nobleCurve, keys, floors);
const seeded = (floors?: MemoryFloors): LocalSigner =>
  signerOf(new SeedKeys(nobleCurve, seed), floors);
const pubkeysOf = (signer: LocalSigner, id: Uint8Array = keysId) =>
  must(signer.pubkeys(id), "held keys");

function floorsAt(number: number): MemoryFloors {
  const floors = new MemoryFloors();
  void floors.raise([{ channelId: CHANNEL, number: commitmentNumber(number) }]);
  return floors;
}
const funding = (number: number, spliceParent?: Txid): SigningKey => ({
  kind: "funding",
  spliceParent,
  channelId: CHANNEL,
  commitmentNumber: commitmentNumber(number),
});

describe("key derivation", () => {
  it("derives the hardened child of BIP 32's test vector 1", () => {
    const master = masterSecret(fromHex("000102030405060708090a0b0c0d0e0f"));
    const child = hardenedChild(nobleCurve, master, 0);
    assert.equal(
      toHex(child.secret),
      "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea",
    );
    assert.equal(
      toHex(child.chainCode),
      "47fdacbd0f1097043b78c63c20c34ef4ed9a111d980047ad16282c7ae6236141",
    );
  });

  for (const vector of vectors.keys) {
    it(`derives LDK's keys for channel_keys_id ${vector.channel_keys_id}`, () => {
      const signer = signerOf(new SeedKeys(nobleCurve, fromHex(vector.seed)));
      const keys = pubkeysOf(signer, fromHex(vector.channel_keys_id));
      assert.equal(toHex(keys.fundingPubkey), vector.funding_pubkey);
      assert.equal(toHex(keys.revocationBasepoint), vector.revocation_basepoint);
      assert.deepEqual(
        keys.paymentPoints.map((key) => toHex(key)),
        [vector.payment_point, vector.payment_point_v2],
      );
      assert.equal(toHex(keys.delayedPaymentBasepoint), vector.delayed_payment_basepoint);
      assert.equal(toHex(keys.htlcBasepoint), vector.htlc_basepoint);
    });
  }
});

describe("local signer", () => {
  it("signs with the key that each task names", () => {
    const signer = seeded(floorsAt(4));
    const keys = pubkeysOf(signer);
    const [first, second] = keys.paymentPoints.map((paymentPoint) => ({
      key: { kind: "payment" as const, paymentPoint },
      paymentPoint,
    }));
    const [v1, v2] = [must(first, "v1"), must(second, "v2")];
    const cases: readonly (readonly [SigningKey, Uint8Array])[] = [
      [funding(4), keys.fundingPubkey],
      [ANCHOR, keys.fundingPubkey],
      [v1.key, v1.paymentPoint],
      [v2.key, v2.paymentPoint],
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
    const signer = seeded(floorsAt(4));
    const base = channelSecrets(nobleCurve, seed, channelMaster(nobleCurve, seed), keysId).funding;
    const parent = txid("01".repeat(31) + "ff");
    // The txid stands reversed in transactions, and LDK hashes it as it stands there.
    const hashed = sha256(concatBytes(Uint8Array.of(0xff, ...new Uint8Array(31).fill(1)), base));
    const expected = nobleCurve.publicKey(must(nobleCurve.secretAdd(base, hashed), "key"));
    assert.deepEqual(signer.pubkeys(keysId, parent)?.fundingPubkey, expected);
    assert.notDeepEqual(pubkeysOf(signer).fundingPubkey, expected);
    for (const key of [funding(4, parent), { kind: "anchor", spliceParent: parent } as const]) {
      const [signature] = signer.sign(keysId, [{ key, digest }]);
      assert.ok(nobleCurve.ecdsaVerify(must(signature, "signature"), digest, expected));
    }
  });

  it("refuses a commitment of ours below the floor, and then signs nothing of the tasks", () => {
    const signer = seeded(floorsAt(4));
    const tasks = [ANCHOR, funding(3)].map((key) => ({ key, digest }));
    assert.throws(
      () => signer.sign(keysId, tasks),
      (error) =>
        error instanceof SigningRefused && error.commitmentNumber === 3 && error.floor === 4,
    );
    assert.equal(signer.sign(keysId, [{ key: funding(4), digest }]).length, 1);
    assert.equal(signer.sign(keysId, [{ key: funding(5), digest }]).length, 1);
  });

  it("refuses any commitment of a channel of which nothing was told durable", () => {
    assert.throws(() => seeded().sign(keysId, [{ key: funding(9), digest }]), SigningRefused);
  });

  it("signs for no payment point but its own", () => {
    const key = { kind: "payment", paymentPoint: point } as const;
    assert.throws(() => seeded().sign(keysId, [{ key, digest }]), /payment key/);
  });

  it("holds nothing for a channel that no source knows", () => {
    const known = channelSecrets(nobleCurve, seed, channelMaster(nobleCurve, seed), keysId);
    const one: KeySource = {
      secretsOf: (id) =>
        toHex(id) === toHex(keysId) ? { ...known, paymentV2: undefined } : undefined,
    };
    const signer = signerOf(one);
    assert.equal(signer.pubkeys(new Uint8Array(32)), undefined);
    assert.throws(() => signer.sign(new Uint8Array(32), []), /holds keys/);
    assert.equal(pubkeysOf(signer).paymentPoints.length, 1);
    const other = new SeedKeys(nobleCurve, new Uint8Array(32).fill(2));
    assert.deepEqual(pubkeysOf(signerOf(firstOf([one, other]))), pubkeysOf(signer));
    const elsewhere = pubkeysOf(signerOf(firstOf([one, other])), new Uint8Array(32));
    assert.deepEqual(elsewhere, pubkeysOf(signerOf(other), new Uint8Array(32)));
  });

  it("gives the same signature for the same task", () => {
    const tasks = [{ key: ANCHOR, digest }];
    assert.deepEqual(seeded().sign(keysId, tasks), seeded().sign(keysId, tasks));
  });

  it("derives again what its bounded cache let go", () => {
    const signer = seeded();
    const tasks = [{ key: ANCHOR, digest }];
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
    const signer = signerOf(new SeedKeys(nobleCurve, given));
    given.fill(0);
    assert.deepEqual(signer.pubkeys(keysId), seeded().pubkeys(keysId));
  });

  it("shows no secret when printed, inspected, serialized or spread", () => {
    const keys = new SeedKeys(nobleCurve, seed);
    const signer = signerOf(keys);
    signer.sign(keysId, [{ key: ANCHOR, digest }]);
    const shown = [signer, keys, firstOf([keys])]
      .flatMap((item) => [
        String(item),
        inspect(item, { depth: 9, showHidden: true }),
        JSON.stringify(item),
        JSON.stringify({ ...item }),
      ])
      .join("\n");
    const secrets = channelSecrets(nobleCurve, seed, channelMaster(nobleCurve, seed), keysId);
    for (const secret of [seed, ...Object.values(secrets)]) {
      assert.ok(!shown.includes(toHex(secret)));
      assert.ok(!shown.includes(secret.join(",")));
      assert.ok(!shown.includes(secret.slice(0, 8).join(", ")));
    }
  });

  it("refuses a seed, a digest or a channel_keys_id of the wrong length without showing it", () => {
    const signer = seeded();
    const short = new Uint8Array(31).fill(0xab);
    for (const attempt of [
      () => new SeedKeys(nobleCurve, short),
      () => signer.pubkeys(short),
      () => signer.sign(keysId, [{ key: ANCHOR, digest: short }]),
    ]) {
      assert.throws(attempt, (error) => error instanceof Error && !/abab|171/.test(error.message));
    }
  });
});
