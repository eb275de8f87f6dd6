/**
 * One update whose header and batch signature were verified: principal, id and previous hash, payload
 * hash, payload parse, semantics, in this order (contract 2.2). A refusal leaves everything as it was.
 */
import { checkPayload } from "@farwatch/protocol/envelope/checks";
import type { Opened } from "@farwatch/protocol/envelope/open-manager-batch";
import type { UpdateHeader } from "@farwatch/protocol/envelope/update";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import {
  outpointKey,
  updateId,
  type ChannelId,
  type Hash32,
  type Outpoint,
  type Txid,
  type UpdateId,
} from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";
import { placeUpdate } from "@farwatch/protocol/update-cursor";
import type { Transition } from "../monitor/effect.js";
import { isOfUnknownHtlc } from "../monitor/update/latest-holder-commitment.js";
import { applyInput } from "./apply-input.js";
import { archivedRefusal, type ArchivedChannel } from "./archive.js";
import { otherOwner, tipOf, type Core } from "./core.js";
import type { Draft } from "./draft.js";
import { haltedRefusal } from "./halt.js";
import type { Principal } from "./monitor-host.js";
import type { AnyEntry, ChannelEntry } from "./monitors.js";
import { applyPenaltyUpdate } from "./penalty/decide-penalty-update.js";
import { counterpartyCommitmentsIn } from "./stored-commitments.js";
import { readPayload } from "./update-payload.js";
import { checkKeys } from "./watch-channel.js";
import { archivedFacts, repeatedStatus, watermarkOf, type ReceiptFacts } from "./receipts.js";

export interface OfferedUpdate {
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  readonly opened: Opened<UpdateHeader>;
  /** Hashes of stored updates below the head, by storedKey. */
  readonly stored: ReadonlyMap<string, Hash32>;
  /** Row id of the batch that proves it; written on first use. */
  readonly proof: () => number;
}

export type UpdateDecision =
  | { readonly kind: "durable"; readonly facts: ReceiptFacts }
  | {
      readonly kind: "refused";
      readonly channelId: ChannelId | undefined;
      readonly updateId: UpdateId | undefined;
      readonly refusal: Refusal;
    };

export const storedKey = (header: UpdateHeader): string => `${header.channelId}:${header.updateId}`;

export function decideUpdate(
  core: Core,
  draft: Draft,
  who: Principal,
  offered: OfferedUpdate,
  refused: ReadonlySet<ChannelId>,
): UpdateDecision {
  const { channelId, updateId: id } = offered.opened.header;
  const entry = findEntry(core, who, offered.opened.header);
  const archived = core.archive.get(channelId);
  const decided = entry.ok
    ? place(core, draft, entry.value, offered, refused)
    : archived?.row.managerKey === who.managerKey
      ? placeArchived(core, archived, offered)
      : entry;
  if (decided.ok) return { kind: "durable", facts: decided.value };
  return { kind: "refused", channelId, updateId: id, refusal: decided.error };
}

function findEntry(core: Core, who: Principal, header: UpdateHeader): Result<AnyEntry, Refusal> {
  const { channelId } = header;
  const details = { channel_id: channelId };
  const entry = core.monitors.get(channelId);
  const owner = entry?.managerKey ?? otherOwner(core, channelId);
  if (owner === undefined) return err(refuse("channelUnknown", "not watched here", details));
  if (owner !== who.managerKey) {
    return err(refuse("notYourChannel", "the channel belongs to another manager", details));
  }
  if (entry === undefined) {
    return err(refuse("storedStateUnreadable", "the stored channel cannot be read", details));
  }
  if (outpointKey(namedFunding(entry)) !== outpointKey(header.funding)) {
    const field = { ...details, field: "update.funding" };
    return err(refuse("malformed", "the update names another funding output", field));
  }
  return ok(entry);
}

/** That of signed headers. */
const namedFunding = (entry: AnyEntry): Outpoint =>
  entry.kind === "full" ? entry.state.firstFunding : entry.state.funding;

/** Answers again what was answered before; anything new comes too late. */
function placeArchived(
  core: Core,
  archived: ArchivedChannel,
  offered: OfferedUpdate,
): Result<ReceiptFacts, Refusal> {
  const { header, hash } = offered.opened;
  const { latestUpdateId: lastId, latestUpdateHash: lastHash, channelId } = archived.row;
  const verdict = placeUpdate(
    { lastId, lastHash, hashOf: () => offered.stored.get(storedKey(header)) },
    { id: header.updateId, hash, prevHash: header.prevHash },
  );
  if (verdict.kind !== "replay") return err(archivedRefusal(archived));
  const { updateId: id, setNo } = header;
  const facts = { channelId, setNo, updateId: id, updateHash: hash, tip: tipOf(core) };
  return ok({ ...facts, ...archivedFacts(archived.row) });
}

function place(
  core: Core,
  draft: Draft,
  entry: AnyEntry,
  offered: OfferedUpdate,
  refused: ReadonlySet<ChannelId>,
): Result<ReceiptFacts, Refusal> {
  const { header, hash } = offered.opened;
  const { latestUpdateId: lastId, latestUpdateHash: lastHash } = entry.state;
  const next = updateId(lastId + 1n);
  if (refused.has(entry.channelId))
    return err(gap(next, "an earlier one of its batch was refused"));
  const verdict = placeUpdate(
    { lastId, lastHash, hashOf: () => offered.stored.get(storedKey(header)) },
    { id: header.updateId, hash, prevHash: header.prevHash },
  );
  switch (verdict.kind) {
    case "gap":
      return err(gap(verdict.expected, "an update is missing before it"));
    case "conflict": {
      const details = { update_id: String(header.updateId), digest: lastHash };
      return err(refuse("updateConflict", "another update stands at this id", details));
    }
    case "replay":
      return ok(factsOf(core, entry, offered, repeatedStatus(entry)));
    case "next":
      return apply(core, draft, entry, offered);
  }
}

const gap = (expected: UpdateId, why: string): Refusal =>
  refuse("updateGap", why, { expected_update_id: String(expected) });

function apply(
  core: Core,
  draft: Draft,
  entry: AnyEntry,
  offered: OfferedUpdate,
): Result<ReceiptFacts, Refusal> {
  if (entry.halt !== undefined) return err(haltedRefusal(entry.halt.incident));
  const damaged = checkPayload(offered.opened.header, offered.payload);
  if (damaged !== undefined) return err(damaged);
  const applied =
    entry.kind === "full"
      ? applySteps(core, draft, entry, offered)
      : applyPenaltyUpdate(core, draft, entry, offered);
  if (!applied.ok) return applied;
  const status = applied.value.afterClose ? "appliedAfterClose" : "persisted";
  return ok(factsOf(core, entry, offered, status));
}

function applySteps(
  core: Core,
  draft: Draft,
  entry: ChannelEntry,
  offered: OfferedUpdate,
): Result<Transition, Refusal> {
  const { header, hash } = offered.opened;
  const steps = readPayload(header, offered.payload, () => entry.state);
  if (!steps.ok) return steps;
  const foreign = foreignKeys(core, steps.value);
  if (foreign !== undefined) return err(foreign);
  const input = {
    kind: "updateReceived" as const,
    updateId: header.updateId,
    updateHash: hash,
    steps: steps.value,
    verifySignatures: true,
  };
  const applied = applyInput(core, draft, entry, input, () => ({
    kind: "update",
    updateId: header.updateId,
    updateHash: hash,
    header: offered.header,
    payload: offered.payload,
    counterpartyTxids: counterpartyTxids(steps.value),
    batchRowId: offered.proof(),
  }));
  if (applied.ok) tellUnknownClaims(core, entry, applied.value.events);
  return applied;
}

/** A claimed entry that names no HTLC (contract 2.12): its preimage is safe, but somebody's books are wrong. */
function tellUnknownClaims(
  core: Core,
  { channelId }: ChannelEntry,
  events: readonly NewMonitorEvent[],
): void {
  for (const { body, origin } of events.filter(isOfUnknownHtlc)) {
    if (body.kind !== "htlcEvent" || origin.kind !== "update") continue;
    const { paymentHash, source } = body;
    const facts = {
      channelId,
      updateId: origin.updateId,
      paymentHash,
      sourceKey: source.sourceKey,
    };
    core.deps.log.error(facts, "an update claims an HTLC that no commitment has: preimage stored");
  }
}

/** The funding key of a splice must be one that this host can sign with (contract 2.20). */
function foreignKeys(core: Core, steps: readonly UpdateStep[]): Refusal | undefined {
  for (const step of steps) {
    const problem =
      step.kind === "renegotiatedFunding" ? checkKeys(core, step.parameters) : undefined;
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The update log finds a revoked commitment by its txid. */
const counterpartyTxids = (steps: readonly UpdateStep[]): readonly Txid[] =>
  steps.flatMap(counterpartyCommitmentsIn).map(({ txid }) => txid);

const factsOf = (
  core: Core,
  entry: AnyEntry,
  { opened: { header, hash } }: OfferedUpdate,
  status: ReceiptFacts["status"],
): ReceiptFacts => ({
  channelId: entry.channelId,
  setNo: header.setNo,
  updateId: header.updateId,
  updateHash: hash,
  status,
  eventWatermark: watermarkOf(entry.state),
  tip: tipOf(core),
});
