/**
 * Both sides sign the same bytes: every layout against vectors/envelope.json, which an independent
 * program wrote. Then every byte of every body and signature is changed once and must be rejected.
 */
import assert from "node:assert/strict";
import { must } from "../assert.js";
import { concatBytes, toHex } from "../bytes.js";
import { nobleCurve } from "../curve/noble-curve.js";
import { channelId, hash32, paymentHash, sourceKey, txid, type Outpoint } from "../ids.js";
import { encodeEventKey, eventKey, type EventSubject } from "./event-key.js";
import { LAYOUTS, type LayoutRow } from "./layouts.test.js";
import * as v from "./load-vectors.test.js";
import { signDigest, verifyDigest } from "./sign.js";
import { genesisHash } from "./update.js";

const layoutOf = (vector: v.Json): LayoutRow =>
  must(LAYOUTS.get(v.text(vector, "layout")), v.text(vector, "layout"));
const title = (vector: v.Json): string =>
  `${v.text(vector, "layout")} ${v.text(vector, "hash").slice(0, 8)}`;

function outpoint(value: unknown): Outpoint {
  assert.ok(v.isJson(value));
  return { txid: txid(v.text(value, "txid")), vout: Number(value["vout"]) };
}
function subjectOf(json: v.Json): EventSubject {
  const kind = v.text(json, "kind");
  switch (kind) {
    case "htlcEvent":
      return {
        kind,
        sourceKey: sourceKey(v.text(json, "sourceKey")),
        paymentHash: paymentHash(v.text(json, "paymentHash")),
      };
    case "holderForceClosed":
    case "commitmentTxConfirmed":
      return {
        kind,
        funding: outpoint(json["funding"]),
        spending: txid(v.text(json, "spending")),
      };
    case "spendableOutputs":
      return { kind, outpoints: v.list(json, "outpoints").map(outpoint) };
    case "penaltyOvertaken":
      return {
        kind,
        outpoint: outpoint(json["outpoint"]),
        spending: txid(v.text(json, "spending")),
      };
    default:
      assert.equal(kind, "discardFunding");
      return { kind: "discardFunding", funding: outpoint(json["funding"]) };
  }
}

describe("envelope vectors", () => {
  it("cover every layout", () => {
    const covered = new Set(v.SIGNED_VECTORS.map((vector) => v.text(vector, "layout")));
    assert.deepEqual([...covered].sort(), [...LAYOUTS.keys()].sort());
  });

  for (const vector of v.SIGNED_VECTORS) {
    it(`${title(vector)}: encodes, parses and hashes to the frozen bytes`, () => {
      const layout = layoutOf(vector);
      const body = layout.build(v.child(vector, "fields"));
      assert.equal(toHex(body), v.text(vector, "body"));
      const again = layout.again(body);
      assert.ok(again.ok);
      assert.deepEqual(again.value, body);
      assert.equal(layout.hash(body), v.text(vector, "hash"));
    });
  }

  it("genesis hash", () => {
    const vector = v.vectorOf("genesis");
    const f = v.child(vector, "fields");
    const genesis = genesisHash({
      chainHash: v.text(f, "chainHash"),
      channelId: channelId(v.text(f, "channelId")),
      funding: { txid: txid(v.text(f, "funding.txid")), vout: Number(v.text(f, "funding.vout")) },
      initialStateSha256: hash32(v.text(f, "initialStateSha256")),
    });
    assert.equal(genesis, v.text(vector, "hash"));
  });

  for (const vector of v.VECTORS.filter((one) => one["layout"] === "eventKey")) {
    const fields = v.child(vector, "fields");
    const subject = subjectOf(v.child(fields, "subject"));
    it(`event key of ${subject.kind}`, () => {
      const where = [v.text(fields, "chainHash"), channelId(v.text(fields, "channelId"))] as const;
      assert.equal(toHex(encodeEventKey(...where, subject)), v.text(vector, "body"));
      assert.equal(eventKey(...where, subject), v.text(vector, "hash"));
    });
  }

  for (const curve of v.BACKENDS) {
    it(`${curve.backend} makes and accepts the frozen signatures`, () => {
      for (const vector of v.SIGNED_VECTORS) {
        const { secret, key } = v.signerOf(vector);
        const digest = hash32(v.text(vector, "hash"));
        const signature = signDigest(curve, secret, digest, v.ZERO_AUX);
        assert.equal(toHex(signature), v.text(vector, "signature"), title(vector));
        assert.ok(verifyDigest(curve, key, digest, signature), title(vector));
      }
    });
  }
});

/** Accepted means: it parses, and the signature fits the hash. */
function accepted(vector: v.Json, body: Uint8Array, signature: Uint8Array, curve = v.FAST) {
  const layout = layoutOf(vector);
  if (!layout.again(body).ok) return false;
  return verifyDigest(curve, v.signerOf(vector).key, layout.hash(body), signature);
}

describe("a changed byte", () => {
  for (const vector of v.SIGNED_VECTORS) {
    const [body, signature] = [v.bytesOf(vector, "body"), v.bytesOf(vector, "signature")];

    it(`${title(vector)}: is rejected anywhere in the body`, () => {
      assert.ok(accepted(vector, body, signature));
      for (let i = 0; i < body.length; i++) {
        const changed = v.flipByte(body, i);
        assert.ok(!accepted(vector, changed, signature), `byte ${i}`);
        const again = layoutOf(vector).again(changed);
        if (again.ok) assert.deepEqual(again.value, changed, `byte ${i}: one body per meaning`);
      }
    });

    for (const curve of v.BACKENDS) {
      it(`${title(vector)}: ${curve.backend} rejects it anywhere in the signature`, () => {
        assert.ok(accepted(vector, body, signature, curve));
        for (let i = 0; i < signature.length; i++) {
          assert.ok(!accepted(vector, body, v.flipByte(signature, i), curve), `byte ${i}`);
        }
      });
    }

    it(`${title(vector)}: noble rejects a sample of the body, and every other length is refused`, () => {
      for (let i = 0; i < body.length; i += 41) {
        assert.ok(!accepted(vector, v.flipByte(body, i), signature, nobleCurve), `body ${i}`);
      }
      const layout = layoutOf(vector);
      for (let length = 0; length < body.length; length++) {
        const short = layout.again(body.subarray(0, length));
        assert.ok(!short.ok && short.error.reason === "wrongLength", `${length} bytes`);
      }
      const long = layout.again(concatBytes(body, Uint8Array.of(0)));
      assert.ok(!long.ok && long.error.reason === "wrongLength", "a trailing byte");
    });
  }

  it("no signature of one layout fits the same bytes under another tag", () => {
    for (const vector of v.SIGNED_VECTORS) {
      const body = v.bytesOf(vector, "body");
      const hashes = [...LAYOUTS.values()].map((layout) => layout.hash(body));
      assert.equal(new Set(hashes).size, LAYOUTS.size);
    }
  });
});
