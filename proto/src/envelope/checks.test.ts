/** The stateful checks, signing, and what a manager refuses from a monitor. */
import assert from "node:assert/strict";
import { fromHex, utf8 } from "../bytes.js";
import type { Curve } from "../curve/curve.js";
import { hash32, monitorKey, storeId, type Hash32 } from "../ids.js";
import type { Reason, Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import { checkEpoch, checkItemEpoch, checkPayload, firstRefusal } from "./checks.js";
import * as rows from "./layouts.test.js";
import { MAX_PAYLOAD_BYTES } from "./limits.js";
import * as v from "./load-vectors.test.js";
import { checkPreimageReceipt, openEvent, openReceiptBatch } from "./open-monitor-message.js";
import { keyOfSecret, signDigest, verifyDigest } from "./sign.js";
import { taggedHash } from "./tagged-hash.js";
import { digestPayload } from "./update.js";

const outcome = (result: Result<unknown, Refusal>): Reason | "ok" =>
  result.ok ? "ok" : result.error.reason;
const part = (layout: string, name: string, index = 0): Uint8Array =>
  v.bytesOf(v.vectorOf(layout, index), name);
const signed = (layout: string) => ({
  header: part(layout, "body"),
  signature: part(layout, "signature"),
});

describe("checks", () => {
  it("fence an older epoch and ask for a session in a newer one", () => {
    assert.equal(checkEpoch(7n, 7n), undefined);
    assert.deepEqual(checkEpoch(6n, 7n)?.details, { current_epoch: "7" });
    assert.equal(checkEpoch(6n, 7n)?.reason, "fenced");
    assert.equal(checkEpoch(8n, 7n)?.reason, "sessionNotOpen");
    assert.equal(checkEpoch(0n, undefined)?.reason, "sessionNotOpen");
  });
  it("let an item be older than its batch, never newer", () => {
    assert.equal(checkItemEpoch(7n, 7n), undefined);
    assert.equal(checkItemEpoch(0n, 7n), undefined);
    assert.equal(checkItemEpoch(8n, 7n)?.reason, "malformed");
  });
  it("compare a payload with its header by length, then by hash", () => {
    const payload = utf8("steps");
    const digest = digestPayload(payload);
    assert.equal(checkPayload(digest, payload), undefined);
    assert.equal(checkPayload(digest, utf8("stepz"))?.reason, "malformed");
    assert.equal(checkPayload(digest, utf8("step"))?.reason, "wrongLength");
    assert.equal(checkPayload(digestPayload(new Uint8Array(0)), new Uint8Array(0)), undefined);
  });
  it("stop at the first refusal", () => {
    const later = (): never => assert.fail("a check ran after a refusal");
    const refusal = checkEpoch(1n, 2n);
    assert.equal(
      firstRefusal(
        () => undefined,
        () => refusal,
        later,
      ),
      refusal,
    );
    assert.equal(firstRefusal(), undefined);
  });
});

describe("tagged hash", () => {
  it("gives the same body another hash under every tag", () => {
    const tags = ["farwatch/update/v1", "farwatch/update/v2", "", "TapSighash"];
    const hashes = tags.map((tag) => taggedHash(tag)(utf8("body")));
    assert.equal(new Set(hashes).size, tags.length);
  });
});

describe("signDigest", () => {
  const digest = hash32("5c".repeat(32));

  for (const curve of v.BACKENDS) {
    it(`${curve.backend}: fresh randomness gives another signature of the same key`, () => {
      assert.equal(keyOfSecret(curve, v.MANAGER_SECRET), v.MANAGER);
      const [a, b] = [v.ZERO_AUX, fromHex("01".repeat(32))].map((aux) =>
        signDigest(curve, v.MANAGER_SECRET, digest, aux),
      );
      assert.ok(a !== undefined && b !== undefined);
      assert.notDeepEqual(a, b);
      assert.ok(verifyDigest(curve, v.MANAGER, digest, a));
      assert.ok(verifyDigest(curve, v.MANAGER, digest, b));
      assert.ok(!verifyDigest(curve, v.MONITOR, digest, a));
      assert.ok(!verifyDigest(curve, v.MANAGER, hash32("5d".repeat(32)), a));
      assert.ok(!verifyDigest(curve, monitorKey("ff".repeat(32)), digest, a));
      assert.ok(!verifyDigest(curve, v.MANAGER, digest, a.subarray(1)));
    });
    it(`${curve.backend}: malformed secrets and auxiliary values throw`, () => {
      const sign = (secret: Uint8Array, aux: Uint8Array) => () =>
        signDigest(curve, secret, digest, aux);
      assert.throws(sign(new Uint8Array(32), v.ZERO_AUX));
      assert.throws(sign(new Uint8Array(32).fill(0xff), v.ZERO_AUX));
      assert.throws(sign(v.MANAGER_SECRET.subarray(1), v.ZERO_AUX));
      assert.throws(sign(v.MANAGER_SECRET, v.ZERO_AUX.subarray(1)));
    });
  }

  it("hands out no signature that does not verify", () => {
    const faulty: Curve = {
      ...v.FAST,
      schnorrSign: (...args) => v.flipByte(v.FAST.schnorrSign(...args), 50),
    };
    assert.throws(() => signDigest(faulty, v.MANAGER_SECRET, digest, v.ZERO_AUX), /not verify/);
  });
});

describe("messages of a monitor", () => {
  const receiptBatch = rows.receiptBatchOf(v.child(v.vectorOf("receiptBatch"), "fields"));
  const from = receiptBatch;
  const receipts = [0, 1].map((i) => part("receipt", "body", i));
  const batch = { ...signed("receiptBatch"), receipts };
  const otherStore = { ...from, storeId: storeId("44".repeat(16)) };
  const otherKey = { ...from, monitorKey: monitorKey(v.MANAGER) };
  const event = { ...signed("event"), payload: part("event", "payload") };

  it("receipts: the frozen batch opens", () => {
    const result = openReceiptBatch(v.FAST, from, batch);
    assert.ok(result.ok);
    assert.deepEqual(
      result.value.items.map((item) => item.ok && item.value.header.status),
      ["persisted", "appliedAfterClose"],
    );
  });
  it("receipts: refused from another store or key, forged, or too few", () => {
    const result = (change: Partial<typeof batch>, source = from) =>
      outcome(openReceiptBatch(v.FAST, source, { ...batch, ...change }));
    const forged = v.flipByte(batch.signature, 0);
    assert.equal(result({}, otherStore), "otherStore");
    assert.equal(result({}, otherKey), "otherStore");
    assert.equal(result({}, { ...from, chainHash: "00".repeat(32) }), "otherNetwork");
    assert.equal(result({ signature: forged }), "signatureInvalid");
    assert.equal(result({ signature: new Uint8Array(63) }), "wrongLength");
    assert.equal(result({ receipts: receipts.slice(1) }), "malformed");
  });
  it("receipts: one that was not signed here is refused by itself", () => {
    const [first, second] = receipts;
    assert.ok(first !== undefined && second !== undefined);
    const changed = [first, v.flipByte(second, 170)];
    const result = openReceiptBatch(v.FAST, from, { ...batch, receipts: changed });
    assert.ok(result.ok);
    assert.deepEqual(result.value.items.map(outcome), ["ok", "signatureInvalid"]);
  });
  it("preimage records: only the receipt for exactly these, in this order, is taken", () => {
    const [first, second] = receiptBatch.hashes;
    assert.ok(first !== undefined && second !== undefined);
    const reason = (records: readonly Hash32[], source = from, signature = batch.signature) =>
      checkPreimageReceipt(v.FAST, source, { ...batch, signature }, records)?.reason;
    assert.equal(reason([first, second]), undefined);
    assert.equal(reason([second, first]), "signatureInvalid");
    assert.equal(reason([first]), "malformed");
    assert.equal(reason([first, first]), "signatureInvalid");
    assert.equal(reason([first, second], otherStore), "otherStore");
    assert.equal(reason([first, second], otherKey), "otherStore");
    const forged = v.flipByte(batch.signature, 0);
    assert.equal(reason([first, second], from, forged), "signatureInvalid");
  });
  it("events: the frozen one opens; forged, foreign or changed ones do not", () => {
    const result = (change: Partial<typeof event>, source = from) =>
      outcome(openEvent(v.FAST, source, { ...event, ...change }));
    assert.equal(result({}), "ok");
    assert.equal(result({}, otherStore), "otherStore");
    assert.equal(result({ signature: v.flipByte(event.signature, 63) }), "signatureInvalid");
    assert.equal(result({ signature: new Uint8Array(0) }), "signatureMissing");
    assert.equal(result({ header: v.flipByte(event.header, 150) }), "signatureInvalid");
    assert.equal(result({ payload: v.flipByte(event.payload, 7) }), "malformed");
    assert.equal(result({ payload: new Uint8Array(MAX_PAYLOAD_BYTES + 1) }), "tooLarge");
  });
});
