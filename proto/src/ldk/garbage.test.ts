/**
 * Values and JSON may come from anywhere (a node in JavaScript, an editor): whatever stands in the place of
 * any part of them, writing ends in bytes or in a typed failure with a place, never in an exception.
 */
import assert from "node:assert/strict";
import type { Codec } from "./codec.js";
import { decodeWhole, describeFailure } from "./cursor.js";
import { readJson, type Json } from "./json.js";
import { vectorRows } from "./load-vectors.test.js";
import { channelMonitor } from "./monitor.js";
import { channelMonitorUpdate } from "./update.js";
import { encodeWhole } from "./writer.js";

const GARBAGE: readonly unknown[] = [
  null,
  undefined,
  true,
  -1,
  1.5,
  NaN,
  2 ** 60,
  -1n,
  1n << 200n,
  "",
  "zz",
  "00",
  [],
  [null],
  {},
  { kind: "unknown" },
  { kind: "unknown", variant: 300, bytes: "00" },
  { unknownRecords: [null] },
  new Uint8Array(5),
  Symbol("garbage"),
];

/** Copies of a value, one for each of its parts, with that part replaced. */
function* replaced(value: unknown, by: unknown): Generator<unknown> {
  yield by;
  if (Array.isArray(value)) {
    const [first] = value;
    if (first === undefined) return;
    for (const inner of replaced(first, by)) yield [inner, ...value.slice(1)];
  } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    for (const [name, part] of Object.entries(value)) {
      for (const inner of replaced(part, by)) yield { ...value, [name]: inner };
    }
  }
}

const ofKind = (kind: string): readonly Uint8Array[] =>
  vectorRows()
    .flatMap((row) => (row.kind === kind ? [row.bytes] : []))
    .sort((a, b) => b.length - a.length);

function decoded<T>(codec: Codec<T>, bytes: Uint8Array | undefined): T {
  const result = decodeWhole("value", codec, bytes ?? assert.fail("no such vector"));
  return result.ok ? result.value : assert.fail(describeFailure(result.error));
}

/** How many were written, how many refused. */
function tryAll<T>(codec: Codec<T>, value: T): { written: number; refused: number } {
  const count = { written: 0, refused: 0 };
  for (const garbage of GARBAGE) {
    for (const candidate of replaced(value, garbage)) {
      const encoded = encodeWhole("value", codec, candidate as T);
      if (encoded.ok) count.written++;
      else count.refused++;
      assert.ok(encoded.ok || /^value/.test(encoded.error.place));
    }
  }
  return count;
}

function tryAllJson<T>(codec: Codec<T>, value: T): { read: number; refused: number } {
  const json: unknown = JSON.parse(JSON.stringify(codec.toJson(value)));
  const count = { read: 0, refused: 0 };
  for (const garbage of GARBAGE) {
    for (const candidate of replaced(json, garbage)) {
      const result = readJson(codec, candidate as Json);
      if (!result.ok) count.refused++;
      else {
        count.read++;
        const encoded = encodeWhole("value", codec, result.value);
        assert.ok(encoded.ok, "what JSON is read to can be written");
      }
      assert.ok(result.ok || result.error.path.startsWith("$"));
    }
  }
  return count;
}

describe("garbage in the place of any part", () => {
  it("of an update", () => {
    const [longest] = ofKind("update");
    const value = decoded(channelMonitorUpdate, longest);
    const { written, refused } = tryAll(channelMonitorUpdate, value);
    assert.ok(written > 20 && refused > 1000, `${written} written, ${refused} refused`);
    const json = tryAllJson(channelMonitorUpdate, value);
    assert.ok(json.read > 0 && json.refused > 500, `${json.read} read, ${json.refused} refused`);
  });

  it("of a monitor", () => {
    const value = decoded(channelMonitor, ofKind("monitor").at(-1));
    const { refused } = tryAll(channelMonitor, value);
    assert.ok(refused > 1000);
    assert.ok(tryAllJson(channelMonitor, value).refused > 500);
  });
});
