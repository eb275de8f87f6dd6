/** Messages come out whole, however the bytes are cut and whatever stands in their strings. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { JsonStream, JsonStreamBroken, MAX_MESSAGE_BYTES } from "./json-stream.js";

describe("a stream of JSON objects", () => {
  it("gives back every object for any cut of the bytes", () => {
    const values = fc.array(
      fc.record({
        id: fc.string(),
        params: fc.jsonValue(),
        text: fc.constantFrom('"}{\\"', "\n\n"),
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(values, fc.array(fc.nat(200)), fc.boolean(), (objects, cuts, pretty) => {
        const text = objects.map((one) => JSON.stringify(one, null, pretty ? 1 : 0)).join("\n\n");
        const bytes = Buffer.from(`${text}\n\n`);
        const stream = new JsonStream();
        const found: unknown[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          found.push(...stream.push(bytes.subarray(at, at + cut)));
          at = Math.min(bytes.length, at + cut);
        }
        assert.deepEqual(found, JSON.parse(JSON.stringify(objects)));
      }),
      { numRuns: 200 },
    );
  });

  it("breaks on what is no object, and on one that does not end", () => {
    const push = (text: string) => () => new JsonStream().push(Buffer.from(text));
    assert.throws(push("[1]"), JsonStreamBroken);
    assert.throws(push('{"a":}'), JsonStreamBroken);
    const stream = new JsonStream();
    stream.push(Buffer.alloc(MAX_MESSAGE_BYTES, `{"a":"`));
    assert.throws(() => stream.push(Buffer.from("a")), JsonStreamBroken);
  });
});
