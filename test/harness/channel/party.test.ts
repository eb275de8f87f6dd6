/**
 * A side of the engine has the keys that LDK and our signer derive from the same seed. Secrets and keys
 * of LDK: recorded updates of npm lightningdevkit 0.1.0, checked with independent code.
 */
import assert from "node:assert/strict";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { channelId, commitmentNumber, txid } from "@farwatch/protocol/ids";
import { MemoryFloors } from "@farwatch/monitor-service/signer/holder-floors";
import { seedSigner } from "./seed-signer.js";
import { partyOfSeed } from "./party.js";
import { channelIdOf } from "./setup.js";

/** A node with seed 02..02: secrets it revealed for its commitments 0, 1 and 7. */
const LDK = {
  seed: new Uint8Array(32).fill(2),
  channelKeysId: fromHex("000000000000002a000000000000002a00000000000000000000000000000009"),
  fundingPubkey: "028689cad332fc0a51363b1caedd2736f4495199053a15c91ffcff35a9f2a960f0",
  destinationScript: "001496f1652787d6269c8e83a5e7c1c5fb78df7c11a8",
  secrets: [
    { number: 0, secret: "ef69e55767b63c0ab3a7cb9c83bf4bdab843dc751b8b910ecd51b85dfb3d6b43" },
    { number: 1, secret: "013ccf953d2ec20fd57f8aa2bb54ffbbd185c942fd98e4d7c0a31c23c3032680" },
    { number: 7, secret: "68ea81e014ba6d04ab41ec27039fd6004af2f8894ffee8b6fcbdf10c0c648e4d" },
  ],
} as const;

const CHANNEL_ID = channelId("c1".repeat(32));

describe("party of the channel engine", () => {
  const party = partyOfSeed(nobleCurve, LDK.seed, LDK.channelKeysId);

  it("has LDK's funding key, destination and per-commitment secrets", () => {
    assert.equal(toHex(party.pubkeys.fundingPubkey), LDK.fundingPubkey);
    assert.equal(toHex(party.identity.destinationScript), LDK.destinationScript);
    for (const { number, secret } of LDK.secrets) {
      const actual = party.secrets.perCommitment(commitmentNumber(number));
      assert.equal(toHex(actual), secret);
      assert.deepEqual(party.perCommitmentPoint(number), nobleCurve.publicKey(actual));
    }
  });

  it("has the public keys and signatures of a monitor's signer with the same seed", () => {
    const channelKeysId = new Uint8Array(32).fill(0xc4);
    const own = partyOfSeed(nobleCurve, LDK.seed, channelKeysId);
    const floors = new MemoryFloors();
    const number = commitmentNumber(3);
    void floors.raise([{ channelId: CHANNEL_ID, number }]);
    const signer = seedSigner(nobleCurve, LDK.seed, floors);
    const { paymentPoint, ...pubkeys } = own.pubkeys;
    const { paymentPoints = [], ...held } = signer.pubkeys(channelKeysId) ?? {};
    assert.deepEqual(held, pubkeys);
    assert.deepEqual(paymentPoints[0], paymentPoint);
    const digest = new Uint8Array(32).fill(7);
    const perCommitmentPoint = own.perCommitmentPoint(3);
    for (const key of [
      {
        kind: "funding",
        channelId: CHANNEL_ID,
        commitmentNumber: number,
        spliceParent: undefined,
      },
      { kind: "payment", paymentPoint },
      { kind: "htlc", perCommitmentPoint },
      { kind: "delayed", perCommitmentPoint },
    ] as const) {
      const [theirs] = signer.sign(channelKeysId, [{ key, digest }]);
      assert.deepEqual(own.sign(key, digest), theirs, key.kind);
    }
  });

  it("names channels by BOLT 2's channel_id", () => {
    const funding = { txid: txid(`${"00".repeat(31)}ff`), vout: 0x0102 };
    assert.equal(channelIdOf(funding), `ff${"00".repeat(29)}0102`);
  });
});
