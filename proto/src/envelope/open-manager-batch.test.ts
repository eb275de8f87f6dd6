/**
 * What a monitor refuses before it looks at its own state, in the order of contract 2.2, built from
 * the frozen vectors. Each case has one fault; pairs of faults show which check comes first.
 */
import assert from "node:assert/strict";
import { toHex } from "../bytes.js";
import { managerKey, preimage, storeId } from "../ids.js";
import type { Reason, Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import * as rows from "./layouts.test.js";
import { MAX_PAYLOAD_BYTES } from "./limits.js";
import * as v from "./load-vectors.test.js";
import * as open from "./open-manager-batch.js";
import { hashPreimageBatch, encodePreimageBatch } from "./preimage-batch.js";
import { encodePreimageRecord, hashPreimageRecord } from "./preimage-record.js";
import { signDigest } from "./sign.js";
import { encodeUpdate, hashUpdate, type UpdateHeader } from "./update.js";
import { encodeUpdateBatch, hashUpdateBatch } from "./update-batch.js";

const part = (layout: string, name: string, index = 0): Uint8Array =>
  v.bytesOf(v.vectorOf(layout, index), name);
const signed = (layout: string, index = 0): open.SignedBody => ({
  header: part(layout, "body", index),
  signature: part(layout, "signature", index),
});
const fields = (layout: string, index = 0): v.Json => v.child(v.vectorOf(layout, index), "fields");

const chainHash = rows.updateOf(fields("update")).chainHash;
const who = { managerKey: v.MANAGER, chainHash };
const stranger = { managerKey: managerKey("11".repeat(32)), chainHash };
const otherChain = { managerKey: v.MANAGER, chainHash: "22".repeat(32) };
const own = rows.sessionOf(fields("session"));
const otherStore = { ...own, storeId: storeId("33".repeat(16)) };

const updates = [0, 1, 2].map((i) => ({
  header: part("update", "body", i),
  payload: part("update", "payload", i),
}));
const batch = { ...signed("updateBatch", 1), updates };

const outcome = (result: Result<unknown, Refusal>): Reason | "ok" =>
  result.ok ? "ok" : result.error.reason;
function items<B, I>(result: Result<open.OpenedBatch<B, I>, Refusal>): (Reason | "ok")[] {
  assert.ok(result.ok, outcome(result));
  return result.value.items.map(outcome);
}
const resign = (header: Uint8Array): open.SignedBody => ({
  header,
  signature: signDigest(v.FAST, v.MANAGER_SECRET, hashUpdateBatch(header), v.ZERO_AUX),
});
/** A correctly signed batch over one update that differs from a vector in `change`. */
function oneUpdate(change: Partial<UpdateHeader>) {
  const header = encodeUpdate({ ...rows.updateOf(fields("update")), ...change });
  const body = { ...rows.batchOf(fields("updateBatch")), hashes: [hashUpdate(header)] };
  return {
    ...resign(encodeUpdateBatch(body)),
    updates: [{ header, payload: part("update", "payload") }],
  };
}

for (const curve of v.BACKENDS) {
  describe(`openUpdateBatch on ${curve.backend}`, () => {
    const opened = (change: Partial<typeof batch>, by = who) =>
      open.openUpdateBatch(curve, by, { ...batch, ...change });

    it("opens the frozen batch and names each update's hash", () => {
      const result = opened({});
      assert.ok(result.ok);
      assert.equal(result.value.batch.epoch, 2n ** 64n - 1n);
      result.value.items.forEach((item, i) => {
        assert.ok(item.ok);
        assert.equal(item.value.hash, v.text(v.vectorOf("update", i), "hash"));
      });
    });

    it("refuses the whole batch for size, header, principal and signature, in this order", () => {
      const short = batch.signature.subarray(1);
      const broken = batch.header.subarray(1);
      const forged = v.flipByte(batch.signature, 40);
      assert.equal(outcome(opened({ signature: short, header: broken })), "wrongLength");
      const badVersion = v.flipByte(batch.header, 1);
      assert.equal(outcome(opened({ header: badVersion }, stranger)), "malformed");
      assert.equal(outcome(opened({ signature: forged }, stranger)), "notYourChannel");
      assert.equal(outcome(opened({ signature: forged }, otherChain)), "otherNetwork");
      assert.equal(outcome(opened({ signature: forged })), "signatureInvalid");
      assert.equal(outcome(opened({ signature: new Uint8Array(0) })), "signatureMissing");
      assert.equal(outcome(opened({ updates: updates.slice(1) })), "malformed");
    });

    it("refuses one update for its own fault and leaves the others alone", () => {
      const [first, second, third] = updates;
      assert.ok(first !== undefined && second !== undefined && third !== undefined);
      assert.deepEqual(items(opened({ updates: [first, third, second] })), [
        "ok",
        "signatureInvalid",
        "signatureInvalid",
      ]);
      const changed = { ...second, header: v.flipByte(second.header, 60) };
      assert.deepEqual(items(opened({ updates: [first, changed, third] })), [
        "ok",
        "signatureInvalid",
        "ok",
      ]);
      const cut = { ...second, header: second.header.subarray(1) };
      assert.deepEqual(items(opened({ updates: [first, cut, third] })), [
        "ok",
        "wrongLength",
        "ok",
      ]);
    });

    it("leaves a wrong payload to checkPayload, which comes after the cursor", () => {
      const [first, ...rest] = updates;
      assert.ok(first !== undefined);
      const changed = { ...first, payload: v.flipByte(first.payload, 3) };
      assert.deepEqual(items(opened({ updates: [changed, ...rest] })), ["ok", "ok", "ok"]);
    });

    it("refuses an oversized payload before its header is judged", () => {
      const [, second, third] = updates;
      assert.ok(second !== undefined && third !== undefined);
      const huge = { header: new Uint8Array(0), payload: new Uint8Array(MAX_PAYLOAD_BYTES + 1) };
      assert.deepEqual(items(opened({ updates: [huge, second, third] })), ["tooLarge", "ok", "ok"]);
      const full = { header: new Uint8Array(0), payload: new Uint8Array(MAX_PAYLOAD_BYTES) };
      assert.deepEqual(items(opened({ updates: [full, second, third] })), [
        "wrongLength",
        "ok",
        "ok",
      ]);
    });

    it("refuses a signed update that names another manager or network", () => {
      const result = (change: Partial<UpdateHeader>) =>
        items(open.openUpdateBatch(curve, who, oneUpdate(change)));
      assert.deepEqual(result({}), ["ok"]);
      assert.deepEqual(result({ managerKey: stranger.managerKey }), ["notYourChannel"]);
      assert.deepEqual(result({ chainHash: otherChain.chainHash }), ["otherNetwork"]);
    });
  });
}

describe("openWatch", () => {
  const request = {
    batch: signed("updateBatch"),
    header: part("initialState", "body"),
    payload: part("initialState", "payload"),
  };
  const opened = (change: Partial<typeof request>, by = who) =>
    open.openWatch(v.FAST, by, { ...request, ...change });

  it("opens the frozen request and names the epoch of its batch", () => {
    const result = opened({});
    assert.ok(result.ok);
    assert.equal(result.value.batch.epoch, 7n);
    assert.equal(result.value.hash, v.text(v.vectorOf("initialState"), "hash"));
  });
  it("refuses another header, another batch, another caller and an oversized payload", () => {
    assert.equal(outcome(opened({ header: v.flipByte(request.header, 60) })), "signatureInvalid");
    assert.equal(outcome(opened({ batch: signed("updateBatch", 1) })), "malformed");
    assert.equal(outcome(opened({ header: part("update", "body") })), "wrongLength");
    assert.equal(outcome(opened({}, stranger)), "notYourChannel");
    const payload = new Uint8Array(MAX_PAYLOAD_BYTES + 1);
    assert.equal(outcome(opened({ payload })), "tooLarge");
  });
});

describe("openPreimageBatch", () => {
  const records = [0, 1].map((i) => ({
    header: part("preimageRecord", "body", i),
    preimage: preimage(part("preimageRecord", "preimage", i)),
  }));
  const request = { ...signed("preimageBatch"), records };

  it("opens records of the batch's epoch and of older ones", () => {
    assert.deepEqual(items(open.openPreimageBatch(v.FAST, who, request)), ["ok", "ok"]);
  });
  it("refuses a preimage that does not open its hash, and only that one", () => {
    const [first, second] = records;
    assert.ok(first !== undefined && second !== undefined);
    const swapped = [{ ...first, preimage: second.preimage }, second];
    const result = open.openPreimageBatch(v.FAST, who, { ...request, records: swapped });
    assert.deepEqual(items(result), ["preimageMismatch", "ok"]);
    const [item] = result.ok ? result.value.items : [];
    assert.ok(item !== undefined && !item.ok);
    assert.ok(!JSON.stringify(item.error).includes(toHex(second.preimage)), "no secret in errors");
  });
  it("refuses a record newer than its batch", () => {
    const record = { ...rows.preimageOf(fields("preimageRecord")), epoch: 8n };
    const header = encodePreimageRecord(record);
    const body = { ...rows.batchOf(fields("preimageBatch")), hashes: [hashPreimageRecord(header)] };
    const batchHeader = encodePreimageBatch(body);
    const digest = hashPreimageBatch(batchHeader);
    const signature = signDigest(v.FAST, v.MANAGER_SECRET, digest, v.ZERO_AUX);
    const [first] = records;
    assert.ok(first !== undefined);
    const result = open.openPreimageBatch(v.FAST, who, {
      header: batchHeader,
      signature,
      records: [{ ...first, header }],
    });
    assert.deepEqual(items(result), ["malformed"]);
  });
});

describe("openEventAckBatch and openSession", () => {
  const acks = [0, 1].map((i) => part("eventAck", "body", i));
  const request = { ...signed("eventAckBatch"), acks };

  it("open what is addressed to this store", () => {
    assert.deepEqual(items(open.openEventAckBatch(v.FAST, who, own, request)), ["ok", "ok"]);
    assert.equal(outcome(open.openSession(v.FAST, who, own, signed("session"))), "ok");
  });
  it("refuse what is addressed to a store that was there before", () => {
    const result = open.openEventAckBatch(v.FAST, who, otherStore, request);
    assert.deepEqual(items(result), ["otherStore", "otherStore"]);
    assert.equal(
      outcome(open.openSession(v.FAST, who, otherStore, signed("session"))),
      "otherStore",
    );
  });
  it("refuse a session of another caller, or with a signature that does not fit", () => {
    const session = signed("session");
    const forged = { ...session, signature: v.flipByte(session.signature, 9) };
    const missing = { ...session, signature: new Uint8Array(0) };
    const result = (by: typeof who, body: open.SignedBody) =>
      outcome(open.openSession(v.FAST, by, own, body));
    assert.equal(result(stranger, forged), "notYourChannel");
    assert.equal(result(who, forged), "signatureInvalid");
    assert.equal(result(who, missing), "signatureMissing");
    assert.equal(result(who, { ...session, signature: new Uint8Array(65) }), "wrongLength");
    assert.equal(result(who, { ...session, header: session.header.subarray(1) }), "wrongLength");
  });
  it("refuse acks in another order than they were signed", () => {
    const result = open.openEventAckBatch(v.FAST, who, own, {
      ...request,
      acks: [...acks].reverse(),
    });
    assert.deepEqual(items(result), ["signatureInvalid", "signatureInvalid"]);
  });
});
