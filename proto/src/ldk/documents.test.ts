/** Files of LDK's bytes say what they are by themselves, and come back from JSON. */
import assert from "node:assert/strict";
import { concatBytes, toHex } from "../bytes.js";
import {
  decodeDocument,
  describeDocumentFailure,
  DOCUMENT_TYPES,
  encodeDocument,
  isDocumentType,
  type DocumentType,
} from "./documents.js";
import { jsonObject, type Json } from "./json.js";
import { fixtureBlobs, vectorRows } from "./load-vectors.test.js";
import { filled, record, struct, uint } from "./testing/build.js";

function decoded(bytes: Uint8Array, type?: DocumentType): { type: DocumentType; json: Json } {
  const result = decodeDocument(bytes, type);
  if (!result.ok) assert.fail(describeDocumentFailure(result.error));
  const json: unknown = JSON.parse(JSON.stringify(result.value));
  return { type: result.value.type, json: json as Json };
}

function failure(bytes: Uint8Array, type?: DocumentType): string {
  const result = decodeDocument(bytes, type);
  return result.ok ? assert.fail("decoded") : describeDocumentFailure(result.error);
}

function refusal(json: Json): string {
  const result = encodeDocument(json);
  return result.ok ? assert.fail("encoded") : describeDocumentFailure(result.error);
}

function assertRecognised(bytes: Uint8Array, type: DocumentType): void {
  const found = decoded(bytes);
  assert.equal(found.type, type);
  const encoded = encodeDocument(found.json);
  assert.equal(encoded.ok && toHex(encoded.value), toHex(bytes));
}

const forward = concatBytes(
  uint(1, 1),
  struct(
    record(0, uint(77, 8)),
    record(2, filled(32, 1), uint(3, 2)),
    record(4, uint(5, 8)),
    record(6, filled(32, 2)),
  ),
);

describe("documents of LDK's bytes", () => {
  const ofKind = (kind: string): readonly Uint8Array[] =>
    vectorRows().flatMap((row) => (row.kind === kind ? [row.bytes] : []));

  it("are recognised by the one reader that uses them up", () => {
    const monitors = ofKind("monitor");
    for (const bytes of monitors.slice(0, 40)) assertRecognised(bytes, "monitor");
    for (const bytes of monitors.slice(0, 5)) {
      assertRecognised(concatBytes(filled(2, 0xff), bytes), "storedMonitor");
    }
    for (const bytes of ofKind("update")) assertRecognised(bytes, "update");
    for (const bytes of fixtureBlobs("timeline/events/hex")) assertRecognised(bytes, "event");
    for (const bytes of fixtureBlobs("htlc_event/hex")) assertRecognised(bytes, "htlcUpdate");
    for (const bytes of fixtureBlobs("/event/outputs/hex")) {
      assertRecognised(bytes, "spendableOutput");
    }
    assertRecognised(forward, "source");
  });

  it("bytes that nothing reads are told with the reader that came furthest", () => {
    const [monitor = assert.fail()] = ofKind("monitor");
    const cut = monitor.subarray(0, monitor.length - 1);
    assert.match(failure(cut), /^read as monitor: truncated at byte \d+ of monitor\/?/);
    assert.match(failure(cut, "event"), /^read as event: /);
    assert.match(failure(new Uint8Array(0)), /^read as monitor: truncated at byte 0 of monitor/);
  });

  it("an event of an unknown kind is one only when it is named so", () => {
    const later = concatBytes(uint(0x0b, 1), struct());
    assert.match(failure(later), /^read as /);
    assert.deepEqual(decoded(later, "event").json, {
      type: "event",
      value: { kind: "unknown", variant: 11, bytes: "" },
    });
  });

  it("JSON that says something else than a document is refused with its path", () => {
    const [update = assert.fail()] = ofKind("update");
    const { json } = decoded(update);
    const value = jsonObject(json, "$")["value"] ?? null;
    assert.equal(refusal([]), "not an object at $");
    assert.equal(refusal({ type: "update" }), "missing at $.value");
    assert.match(refusal({ type: "tx", value }), /^none of monitor, .* at \$\.type$/);
    assert.equal(
      refusal({ type: "update", value, more: 1 }),
      "a key that is not known here at $.more",
    );
    const wrong = { ...jsonObject(value, "$"), updateId: 7 };
    assert.equal(refusal({ type: "update", value: wrong }), "not a string at $.value.updateId");
    assert.match(
      refusal({ type: "monitor", value }),
      /^a key that is not known here at \$\.value\./,
    );
    assert.ok(DOCUMENT_TYPES.every(isDocumentType) && !isDocumentType("tx"));
  });
});
