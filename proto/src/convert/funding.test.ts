/** What the parser takes and refuses of the steps of splices. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { must } from "../assert.js";
import type { CounterpartyCommitment, HolderCommitment } from "../channel.js";
import type { Reason } from "../reasons.js";
import { ChannelMonitorUpdate } from "../../gen/monitor/v1/update.js";
import type { ChannelMonitorUpdateStep, RenegotiatedFunding } from "../../gen/monitor/v1/update.js";
import { writeParameters } from "./channel.js";
import { writeCounterparty, writeHolder } from "./commitment.js";
import { MAX_PENDING_FUNDINGS } from "./limits.js";
import {
  counterpartyCommitments,
  holderCommitments,
  initialStates,
} from "./testing/arbitraries.js";
import { parseUpdatePayload } from "./update.js";

const sample = <T>(values: fc.Arbitrary<T>): T => must(fc.sample(values, 1)[0], "a sample");
const holder: HolderCommitment = { ...sample(holderCommitments), htlcs: [] };
const counterparty: CounterpartyCommitment = { ...sample(counterpartyCommitments), htlcs: [] };
const initialParameters = writeParameters(sample(initialStates).parameters);
const bytes = (length: number): Buffer => Buffer.alloc(length, 7);
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
const raw = (step: ChannelMonitorUpdateStep["step"]): Uint8Array =>
  ChannelMonitorUpdate.encode({ steps: [{ step }] }).finish();

function refused(payload: Uint8Array, reason: Reason, field: string): void {
  const result = parseUpdatePayload(payload);
  assert.ok(!result.ok, "refused");
  assert.deepEqual([result.error.reason, result.error.details["field"]], [reason, field]);
}
const accepted = (payload: Uint8Array): void => assert.ok(parseUpdatePayload(payload).ok);

describe("the parser of splice steps", () => {
  it("takes the locked funding's commitment first and unnamed, every other one named", () => {
    const unnamed = writeCounterparty(counterparty);
    const named = { ...unnamed, funding: { txid: bytes(32), vout: 0 } };
    const step = (...commitments: (typeof unnamed)[]) =>
      raw({ $case: "latestCounterpartyCommitment", value: { commitments } });
    accepted(step(unnamed));
    accepted(step(unnamed, named));
    refused(step(), "malformed", "steps[0].commitments");
    refused(step(named), "malformed", "steps[0].commitments[0].funding");
    refused(step(unnamed, unnamed), "malformed", "steps[0].commitments[1].funding");
    const many = (count: number) => step(unnamed, ...range(count).map(() => named));
    accepted(many(MAX_PENDING_FUNDINGS));
    refused(many(MAX_PENDING_FUNDINGS + 1), "tooLarge", "steps[0].commitments");
  });

  it("takes a new funding only whole, its commitments naming none", () => {
    const parts: RenegotiatedFunding = {
      parameters: initialParameters,
      holderCommitment: writeHolder(holder),
      counterpartyCommitment: writeCounterparty(counterparty),
    };
    const step = (patch: Partial<typeof parts>) =>
      raw({ $case: "renegotiatedFunding", value: { ...parts, ...patch } });
    accepted(step({}));
    refused(step({ parameters: undefined }), "malformed", "steps[0].parameters");
    refused(step({ holderCommitment: undefined }), "malformed", "steps[0].holder_commitment");
    const counterpartyCommitment = {
      ...writeCounterparty(counterparty),
      funding: { txid: bytes(32), vout: 0 },
    };
    const field = "steps[0].counterparty_commitment.funding";
    refused(step({ counterpartyCommitment }), "malformed", field);
  });

  it("reads the txids and keys of splices and LDK's release step in full length", () => {
    const locked = (fundingTxid: Buffer) =>
      raw({ $case: "renegotiatedFundingLocked", value: { fundingTxid } });
    accepted(locked(bytes(32)));
    refused(locked(bytes(31)), "wrongLength", "steps[0].funding_txid");
    const release = (key: Buffer) =>
      raw({ $case: "ldkReleasePaymentComplete", value: { sourceKey: key } });
    accepted(release(bytes(32)));
    refused(release(bytes(33)), "wrongLength", "steps[0].source_key");
  });
});
