/**
 * ADR G-08 names tests for every gap of persistent-events.md section 6. Here: each gap is there once, and
 * every scenario, file and test it names exists.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { must } from "@farwatch/protocol/assert";
import { loadScenarios } from "./scenario.js";

const GAPS = 33;
const ROOT = new URL("../../../", import.meta.url);
const ADR = "manager-service/adr/G-08-gaps-of-persistent-events.md";

const read = (file: string): string => readFileSync(new URL(file, ROOT), "utf8");

interface Gap {
  readonly name: string;
  readonly scenarios: readonly string[];
  readonly tests: readonly { readonly file: string; readonly title: string }[];
}

const gaps = read(ADR)
  .split(/^### /m)
  .slice(1)
  .map((section): Gap => {
    const [name = ""] = section.split(":");
    const points = section.split("\n").flatMap((line) => /^- (.*)$/.exec(line)?.[1] ?? []);
    return {
      name,
      scenarios: points.flatMap((point) => (/^[SD]\d/.test(point) ? point.split(", ") : [])),
      tests: points.flatMap((point) => {
        const [, file, title] = /^`(\S+)`: (.*)$/.exec(point) ?? [];
        return file === undefined || title === undefined ? [] : [{ file, title }];
      }),
    };
  });

/** Titles of tests as the source has them. */
const titlesIn = (file: string): readonly string[] =>
  [...read(file).matchAll(/\bit\(\s*(["`])(.*?)\1,/g)].map(([, , title]) => must(title, "a title"));

const scenarios = new Set((await loadScenarios()).map(({ id }) => id));

describe("the gaps of persistent events (ADR G-08)", () => {
  it("are all there, once", () => {
    const names = gaps.map(({ name }) => name);
    const all = Array.from({ length: GAPS }, (_, index) => `G${index + 1}`);
    assert.deepEqual([...names].sort(), [...all].sort());
  });

  for (const { name, scenarios: named, tests } of gaps) {
    it(`${name} has tests, and they exist`, () => {
      assert.ok(tests.length > 0, "no test named");
      const missing = named.filter((id) => !scenarios.has(id));
      assert.deepEqual(missing, [], "scenarios that nobody wrote");
      for (const { file, title } of tests) {
        assert.ok(existsSync(new URL(file, ROOT)), file);
        assert.ok(titlesIn(file).includes(title), `${file} has no test "${title}"`);
      }
    });
  }
});
