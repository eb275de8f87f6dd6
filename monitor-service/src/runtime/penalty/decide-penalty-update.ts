/**
 * An update of a penalty-only channel that stands in its place: parse and step (contract 2.2). One log row and
 * one index entry per penalty, whatever the channel holds.
 */
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import type { UpdateHeader } from "@farwatch/protocol/envelope/update";
import type { Hash32, Txid } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, type Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { PenaltyTransition } from "../../monitor/penalty/input.js";
import type { Core } from "../core.js";
import type { Draft } from "../draft.js";
import type { PenaltyEntry } from "../monitors.js";
import type { LogInput } from "../preimage-log.js";
import { applyPenaltyInput } from "./apply-penalty-input.js";

export interface PenaltyUpdate {
  readonly opened: { readonly header: UpdateHeader; readonly hash: Hash32 };
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  readonly proof: () => number;
}

/** Errors: wrongChannelKind, and those of the parser and of the step. */
export function applyPenaltyUpdate(
  core: Core,
  draft: Draft,
  entry: PenaltyEntry,
  { opened: { header, hash: updateHash }, payload, proof, ...bytes }: PenaltyUpdate,
): Result<PenaltyTransition, Refusal> {
  if (header.payloadType !== "typedSteps") {
    return err(refuse("wrongChannelKind", "LDK's own bytes are of channels with keys"));
  }
  const steps = parseUpdatePayload(payload);
  if (!steps.ok) return steps;
  const { updateId } = header;
  const input = { kind: "updateReceived", updateId, updateHash, steps: steps.value } as const;
  const log = (): LogInput => ({
    kind: "update",
    updateId,
    updateHash,
    header: bytes.header,
    payload,
    counterpartyTxids: [],
    batchRowId: proof(),
  });
  const applied = applyPenaltyInput(core, draft, entry, input, log);
  if (!applied.ok) return applied;
  const { channelNo, headRowId: logRowId } = entry;
  for (const commitmentTxid of commitmentsOf(steps.value)) {
    draft.write({ op: "insertPenalty", row: { commitmentTxid, channelNo, logRowId } });
  }
  core.lookups.request(entry);
  return applied;
}

const commitmentsOf = (steps: readonly UpdateStep[]): ReadonlySet<Txid> =>
  new Set(
    steps.flatMap((step) => (step.kind === "penaltyTransaction" ? [step.commitmentTxid] : [])),
  );
