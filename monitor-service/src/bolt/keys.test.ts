/** BOLT 3 appendix E, and the keys of appendix C derived from its basepoints. */
import assert from "node:assert/strict";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { appendixE, keyC, keysC } from "./bolt3-vectors.test.js";
import {
  commitmentKeys,
  derivePrivateKey,
  derivePublicKey,
  deriveRevocationPrivateKey,
  deriveRevocationPublicKey,
  type ChannelPubkeys,
} from "@farwatch/protocol/bolt/keys";

const basePoint = fromHex(appendixE.basePoint);
const baseSecret = fromHex(appendixE.baseSecret);
const perCommitmentPoint = fromHex(appendixE.perCommitmentPoint);
const perCommitmentSecret = fromHex(appendixE.perCommitmentSecret);

/** Fields a test must not read get bytes that are no point. */
const UNUSED = new Uint8Array(33);

describe("key derivation", () => {
  it("BOLT 3 appendix E: public key", () => {
    const key = derivePublicKey(nobleCurve, basePoint, perCommitmentPoint);
    assert.equal(toHex(key), appendixE.localPubkey);
  });

  it("BOLT 3 appendix E: private key", () => {
    const key = derivePrivateKey(nobleCurve, baseSecret, perCommitmentPoint);
    assert.equal(toHex(key), appendixE.localPrivkey);
  });

  it("BOLT 3 appendix E: revocation public key", () => {
    const key = deriveRevocationPublicKey(nobleCurve, basePoint, perCommitmentPoint);
    assert.equal(toHex(key), appendixE.revocationPubkey);
  });

  it("BOLT 3 appendix E: revocation private key", () => {
    const key = deriveRevocationPrivateKey(nobleCurve, baseSecret, perCommitmentSecret);
    assert.equal(toHex(key), appendixE.revocationPrivkey);
  });

  it("derives secrets that belong to the public keys of appendix C", () => {
    const point = keysC.perCommitmentPoint;
    const secrets: readonly [string, string][] = [
      ["localPaymentBasepointSecret", "localPrivkey"],
      ["remotePaymentBasepointSecret", "remotePrivkey"],
      ["localDelayedPaymentBasepointSecret", "localDelayedPrivkey"],
    ];
    for (const [base, derived] of secrets) {
      assert.deepEqual(derivePrivateKey(nobleCurve, keyC(base), point), keyC(derived), derived);
    }
    const revocation = deriveRevocationPrivateKey(
      nobleCurve,
      keyC("remoteRevocationBasepointSecret"),
      keyC("localPerCommitmentSecret"),
    );
    assert.deepEqual(nobleCurve.publicKey(revocation), keysC.revocationPubkey);
  });

  it("takes each key of a commitment from the right side", () => {
    const local: ChannelPubkeys = {
      fundingPubkey: UNUSED,
      revocationBasepoint: UNUSED,
      paymentPoint: UNUSED,
      delayedPaymentBasepoint: keyC("localDelayedPaymentBasepoint"),
      htlcBasepoint: keyC("localHtlcBasepoint"),
    };
    const remote: ChannelPubkeys = {
      fundingPubkey: UNUSED,
      revocationBasepoint: keyC("remoteRevocationBasepoint"),
      paymentPoint: keyC("remotePaymentBasepoint"),
      delayedPaymentBasepoint: UNUSED,
      htlcBasepoint: keyC("remoteHtlcBasepoint"),
    };
    assert.deepEqual(commitmentKeys(nobleCurve, local, remote, keysC.perCommitmentPoint), keysC);
  });

  it("throws on bytes that are no point and never names a secret", () => {
    assert.throws(() => derivePublicKey(nobleCurve, UNUSED, perCommitmentPoint));
    assert.throws(() => deriveRevocationPublicKey(nobleCurve, basePoint, UNUSED));
    const order = fromHex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    assert.throws(
      () => derivePrivateKey(nobleCurve, order, perCommitmentPoint),
      (error: Error) => !error.message.includes(toHex(order)),
    );
  });
});
