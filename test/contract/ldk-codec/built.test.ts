/**
 * Bytes of LDK 0.2, 0.3, main and pull request 4640 that no recording holds, built by a writer of their own
 * (harness/ldk-bytes): each decodes whole, to what was put in, and comes back as it was, also from JSON.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { toHex } from "@farwatch/protocol/bytes";
import { describeFailure } from "@farwatch/protocol/ldk/cursor";
import { builtFolder, fileTexts } from "../../harness/ldk-bytes/files.js";
import { builtVectors, bytesOf } from "../../harness/ldk-bytes/vectors.js";
import { differences, plain } from "./compare.js";
import { READERS } from "./decoders.js";
import { inOurNames } from "./names.js";

describe("LDK bytes built by hand", () => {
  it("are those of the files under vectors/ldk-built", () => {
    for (const [name, text] of fileTexts()) {
      assert.equal(readFileSync(new URL(name, builtFolder), "utf8"), text, name);
    }
  });

  for (const vector of builtVectors()) {
    it(`${vector.line}: ${vector.name}`, () => {
      const bytes = bytesOf(vector);
      const result = READERS[vector.kind](bytes);
      if (!result.ok) assert.fail(describeFailure(result.error));
      const expected = inOurNames(vector.built.meaning, vector.kind);
      const found = plain(result.value.value) ?? null;
      assert.deepEqual([...differences(expected, found, vector.kind)], []);
      assert.equal(toHex(result.value.encoded()), toHex(bytes));
      assert.equal(toHex(result.value.encodedFromJson()), toHex(bytes));
    });
  }
});
