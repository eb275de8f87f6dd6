/**
 * Every monitor and update that LDK nodes wrote for the recordings of this repository (vectors/ldk-fixtures,
 * vectors/ldk-recorded) and of vectors/ldk-0.1.0 decodes whole and comes back as it was.
 */
import assert from "node:assert/strict";
import { equalBytes } from "@farwatch/protocol/bytes";
import { describeFailure } from "@farwatch/protocol/ldk/cursor";
import { fixtureBytes, recorded } from "../../fuzz/seeds.js";
import { READERS } from "./decoders.js";

const KINDS = ["update", "monitor"] as const;
const FOLDERS = ["ldk-fixtures", "ldk-recorded"];
/** As many as an independent decoder (in Python) read in the same files: vectors, then recordings. */
const COUNTS = { update: 333 + 1334, monitor: 364 + 42 };

describe("what LDK nodes wrote", () => {
  for (const kind of KINDS) {
    it(`${kind}s come back byte for byte`, () => {
      const all = [
        ...recorded(kind),
        ...FOLDERS.flatMap((folder) => fixtureBytes(`timeline/${kind}`, folder)),
      ];
      for (const [at, bytes] of all.entries()) {
        const read = READERS[kind](bytes);
        if (!read.ok) assert.fail(`${kind} ${at}: ${describeFailure(read.error)}`);
        assert.ok(equalBytes(read.value.encoded(), bytes), `${kind} ${at}`);
      }
      assert.equal(all.length, COUNTS[kind]);
    });
  }
});
