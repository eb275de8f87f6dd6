/** The log hides secrets and error messages, and keeps to one JSON object a line. */
import assert from "node:assert/strict";
import { z } from "zod";
import { createLog, errorFacts, REDACTED_FIELDS, type LogLevel } from "./log.js";

describe("log", () => {
  const linesAt = (level: LogLevel) => {
    const lines: string[] = [];
    return { lines, log: createLog(level, { write: (line) => void lines.push(line) }) };
  };

  it("writes one JSON object a line, with facts beside the message", () => {
    const { lines, log } = linesAt("info");
    log.info("listening", { port: 9913, epoch: 7n });
    const [line = ""] = lines;
    assert.ok(line.endsWith("}\n"));
    const { time, ...rest } = z.record(z.string(), z.unknown()).parse(JSON.parse(line));
    assert.match(String(time), /^\d{4}-\d{2}-\d{2}T.*Z$/);
    const level = "info";
    assert.deepEqual(rest, {
      level,
      service: "farwatch-manager",
      port: 9913,
      epoch: 7,
      msg: "listening",
    });
  });

  it("says nothing below its level", () => {
    const { lines, log } = linesAt("warn");
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    assert.equal(lines.length, 2);
    const silent = linesAt("silent");
    silent.log.error("e");
    assert.equal(silent.lines.length, 0);
  });

  for (const field of REDACTED_FIELDS) {
    it(`redacts ${field} at the top and one level below`, () => {
      const { lines, log } = linesAt("info");
      log.info("x", { [field]: "c0ffee", inner: { [field]: "c0ffee" } });
      assert.ok(!lines.join("").includes("c0ffee"));
      assert.equal(lines.join("").split("[redacted]").length, 3);
    });
  }

  it("tells of an error its name and frames, never its message", () => {
    const facts = errorFacts(new RangeError("secret c0ffee\n    with a second line"));
    assert.equal(facts["error"], "RangeError");
    assert.ok(JSON.stringify(facts).includes("log.test"));
    assert.ok(!JSON.stringify(facts).includes("c0ffee"));
    assert.deepEqual(errorFacts("c0ffee"), { error: "string" });
  });
});
