/** What the monitor's log never shows, whatever a caller passes to it. */
import assert from "node:assert/strict";
import { createLog, errorFacts, REDACTED_FIELDS } from "@farwatch/monitor-service/observe/log";

const SECRET = "5ec2e7".repeat(10);

describe("monitor log", () => {
  const logged = (facts: Readonly<Record<string, unknown>>): string => {
    let text = "";
    createLog("debug", { write: (line) => void (text += line) }).info(facts, "message");
    return text;
  };

  it("writes one JSON object a line, with level, time and service", () => {
    const line: unknown = JSON.parse(logged({ channelId: "ab" }));
    assert.ok(typeof line === "object" && line !== null);
    const { time, ...rest } = { time: undefined, ...line };
    assert.deepEqual(rest, {
      level: "info",
      service: "farwatch-monitor",
      channelId: "ab",
      msg: "message",
    });
    assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
  });

  for (const field of REDACTED_FIELDS) {
    it(`redacts ${field} on the first three levels`, () => {
      for (const facts of [
        { [field]: SECRET },
        { update: { [field]: SECRET } },
        { update: { step: { [field]: SECRET } } },
      ]) {
        const text = logged(facts);
        assert.ok(!text.includes(SECRET), JSON.stringify(facts));
        assert.ok(text.includes("[redacted]"));
      }
    });
  }

  it("tells an error by name and place, not by its message", () => {
    const error = new TypeError(`bad preimage ${SECRET}`);
    for (const text of [logged({ err: error }), logged(errorFacts(error))]) {
      assert.ok(!text.includes(SECRET));
      assert.ok(text.includes("TypeError"));
      assert.ok(text.includes("monitor-app-log.test"));
    }
  });

  it("writes nothing below its level", () => {
    let text = "";
    createLog("warn", { write: (line) => void (text += line) }).info({}, "message");
    assert.equal(text, "");
  });
});
