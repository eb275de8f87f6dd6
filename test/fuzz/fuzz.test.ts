/** Half a minute of fuzzing in all, from the kept inputs on; `npm run nightly` does it at length. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { corpusOf } from "./corpus.js";
import { lineOf, Session, tryInput } from "./session.js";
import { targets } from "./targets.js";

const TOTAL_SECONDS = 30;

describe("LDK bytes made wrong", () => {
  const all = targets();

  for (const target of all) {
    it(`${target.name}: nothing that was kept goes wrong`, () => {
      for (const { name, input } of corpusOf(target.name)) {
        assert.equal(tryInput(target, input).seen.wrong, undefined, name);
      }
    });

    it(`${target.name}: is refused with a place or comes back as it was`, () => {
      const seed = randomInt(2 ** 32 - 1);
      const corpus = corpusOf(target.name).map(({ input }) => input);
      const budget = { seconds: TOTAL_SECONDS / all.length, seed };
      const { findings, runs } = new Session(target, budget, corpus).run();
      assert.equal(findings.map(lineOf).join("\n"), "", `--target ${target.name} --seed ${seed}`);
      assert.ok(runs > corpus.length);
    });
  }
});
