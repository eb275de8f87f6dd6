/** What LDK 0.1 writes twice in a holder commitment has to be the same both times. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { readLdkUpdate } from "@farwatch/protocol/ldk/convert/read-update";
import {
  decodeMonitorUpdate,
  encodeMonitorUpdate,
  type LdkMonitorUpdate,
  type LdkUpdateStep,
} from "@farwatch/protocol/ldk/update";
import { recorded } from "../../fuzz/seeds.js";

type HolderStep = Extract<LdkUpdateStep, { kind: "latestHolderCommitmentInfo" }>;

const noSplice = () => assert.fail("no splice here");

describe("HTLCs that LDK 0.1 lists twice", () => {
  const isHolder = (step: LdkUpdateStep): step is HolderStep =>
    step.kind === "latestHolderCommitmentInfo" && step.commitment.commitment.htlcs.length > 1;
  const updates = recorded("update").flatMap((bytes) => {
    const update = decodeMonitorUpdate(bytes);
    return update.ok && update.value.steps.some(({ value }) => isHolder(value))
      ? [update.value]
      : [];
  });
  const update = must(updates[0], "an update with two HTLCs that have outputs");

  function reasonOf(change: (step: HolderStep) => HolderStep): string {
    const steps = update.steps.map((both) =>
      isHolder(both.value) ? { ...both, value: change(both.value) } : both,
    );
    const encoded = encodeMonitorUpdate({ ...update, steps } satisfies LdkMonitorUpdate);
    assert.ok(encoded.ok);
    const read = readLdkUpdate(encoded.value, noSplice);
    return read.ok ? "" : `${read.error.reason} ${read.error.details["field"]}`;
  }
  const ofTransaction =
    (change: (htlcs: HolderStep["commitment"]["commitment"]["htlcs"]) => typeof htlcs) =>
    (step: HolderStep): HolderStep => {
      const { commitment } = step.commitment;
      const changed = { ...commitment, htlcs: change(commitment.htlcs) };
      return { ...step, commitment: { ...step.commitment, commitment: changed } };
    };
  const DIFFERS = "malformed htlc_outputs";

  it("are taken when both lists are the same", () => {
    assert.equal(
      reasonOf((step) => step),
      "",
    );
    assert.ok(updates.length > 10);
  });

  it("are refused when one list has another amount, order, number or signature", () => {
    const more = ofTransaction(([first, ...others]) => [
      { ...must(first, "an HTLC"), amountMsat: 1n },
      ...others,
    ]);
    assert.equal(reasonOf(more), DIFFERS);
    assert.equal(reasonOf(ofTransaction((htlcs) => htlcs.toReversed())), DIFFERS);
    assert.equal(reasonOf(ofTransaction((htlcs) => htlcs.slice(0, -1))), DIFFERS);
    const resigned = (step: HolderStep): HolderStep => {
      const { counterpartyHtlcSignatures: all } = step.commitment;
      const counterpartyHtlcSignatures = all.toReversed();
      return { ...step, commitment: { ...step.commitment, counterpartyHtlcSignatures } };
    };
    assert.equal(reasonOf(resigned), DIFFERS);
  });
});
