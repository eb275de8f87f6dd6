/** The table of reasons against the rows of the architecture's error table. */
import assert from "node:assert/strict";
import { isReason, REASONS, refuse, type GrpcCodeName } from "./reasons.js";

const EXPECTED: Readonly<Partial<Record<GrpcCodeName, readonly string[]>>> = {
  INVALID_ARGUMENT: [
    "malformed",
    "unknownStep",
    "wrongLength",
    "invalidSecret",
    "invalidCommitmentSignature",
  ],
  UNAUTHENTICATED: ["signatureMissing", "signatureInvalid"],
  PERMISSION_DENIED: ["notYourChannel"],
  NOT_FOUND: ["channelUnknown"],
  ALREADY_EXISTS: ["alreadyWatched"],
  ABORTED: ["updateGap"],
  FAILED_PRECONDITION: [
    "updateConflict",
    "noFurtherUpdates",
    "fenced",
    "nodeBehind",
    "htlcCommitted",
    "duplicateForward",
    "keysMismatch",
    "unsupportedChannelType",
  ],
  UNAVAILABLE: ["monitorQuarantined", "storeUnavailable", "chainBehind", "starting", "stopping"],
  RESOURCE_EXHAUSTED: ["tooLarge", "tooManyInFlight", "tooManyChannels"],
  INTERNAL: ["channelHalted", "assertion"],
  DATA_LOSS: ["storedStateUnreadable"],
  UNIMPLEMENTED: ["unimplemented"],
};

describe("reasons", () => {
  it("give every reason of the error table its gRPC code", () => {
    for (const [code, reasons] of Object.entries(EXPECTED)) {
      for (const reason of reasons) {
        assert.ok(isReason(reason), reason);
        assert.equal(REASONS[reason].grpc, code, reason);
      }
    }
  });

  it("allow a retry with the same bytes only where gRPC allows to repeat a call", () => {
    const repeatable = ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"];
    for (const [reason, row] of Object.entries(REASONS)) {
      if (row.retry === "sameBytes") assert.ok(repeatable.includes(row.grpc), reason);
      if (row.retry === "fromExpected") assert.equal(row.grpc, "ABORTED", reason);
      if (row.grpc === "INTERNAL" || row.grpc === "DATA_LOSS") assert.equal(row.retry, "never");
      assert.ok(row.callerDoes.length > 0, reason);
    }
  });

  it("know their own names and nothing inherited", () => {
    assert.ok(isReason("updateGap"));
    assert.ok(!isReason("toString") && !isReason("updategap") && !isReason(""));
  });

  it("refuse with facts, or without", () => {
    assert.deepEqual(refuse("fenced", "over", { current_epoch: "4" }), {
      reason: "fenced",
      message: "over",
      details: { current_epoch: "4" },
    });
    assert.deepEqual(refuse("starting", "wait").details, {});
  });
});
