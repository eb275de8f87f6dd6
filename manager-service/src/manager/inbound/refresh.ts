/**
 * After an input: what has become of the inbound HTLCs it can have touched, which commands are wanted now,
 * and which forwards and claims may be told. Runs inside the step, so it is in the same commit.
 */
import type { ManagerInput } from "../input.js";
import { ALL } from "../draft.js";
import { tellClaimed } from "../claims/claim-payment.js";
import { lateClaim, tellForwarded } from "../forwards/outcomes.js";
import { rowKeys, type ClaimRow, type ForwardRow, type InboundRow } from "../rows.js";
import type { Work } from "../work.js";
import { keepCommand } from "./commands.js";
import { changeInbound, findInbound, isOver, isSettled } from "./inbound-htlcs.js";

export function refreshInbound(work: Work): void {
  const { draft } = work;
  const keys = new Set(work.inbounds);
  for (const channelId of work.touched) {
    for (const row of draft.inbound.select("open", channelId)) keys.add(rowKeys.inbound(row));
  }
  for (const forwardKey of work.forwards) {
    for (const htlc of draft.forward.get(forwardKey)?.inbound ?? []) {
      keys.add(rowKeys.inbound(htlc));
    }
  }
  const forwards = new Map<string, ForwardRow>();
  const claims = new Map<string, ClaimRow>();
  const found = [...keys].sort();
  for (const key of found) {
    for (const row of draft.forward.select("inbound", key)) forwards.set(row.forwardKey, row);
    for (const row of draft.claim.select("inbound", key)) claims.set(rowKeys.claim(row) ?? "", row);
  }
  for (const row of [...forwards.values()].flatMap(({ inbound }) => inbound)) {
    keys.add(rowKeys.inbound(row));
  }
  for (const row of [...claims.values()].flatMap(({ parts }) => parts)) {
    keys.add(rowKeys.inbound(row));
  }
  for (const key of [...keys].sort()) settle(work, key);
  for (const key of [...keys].sort()) command(work, key);
  for (const forwardKey of [...forwards.keys()].sort()) {
    tellForwarded(work, forwardKey);
    work.forwards.add(forwardKey);
  }
  for (const key of [...claims.keys()].sort()) tellClaimed(work, key);
}

function settle(work: Work, key: string): void {
  let row = work.draft.inbound.get(key);
  if (row === undefined || row.settled) return;
  const channel = work.draft.channel.get(row.channelId);
  if (channel === undefined) return;
  const gone = row.removedBy === undefined && findInbound(channel, row) === undefined;
  // Removed before anything named it: these rows are older than what the monitors hold.
  if (gone && !isOver(channel)) row = changeInbound(work, row, { removedBy: channel.acceptedId });
  row = lateClaim(work, row);
  if (isSettled(work.draft, row)) changeInbound(work, row, { settled: true });
}

function command(work: Work, key: string): void {
  const row = work.draft.inbound.get(key);
  if (row !== undefined) keepCommand(work, row, groupOf(work, key));
}

/** Every inbound HTLC that is claimed with it: parts of one trampoline, or of one payment to us. */
function groupOf(work: Work, key: string): readonly InboundRow[] {
  const { draft } = work;
  const [forward] = draft.forward.select("inbound", key);
  const [claim] = draft.claim.select("inbound", key);
  const parts = [...(forward?.inbound ?? []), ...(claim?.parts ?? [])];
  return parts.flatMap((part) => {
    const row = draft.inbound.get(rowKeys.inbound(part));
    return row === undefined ? [] : [row];
  });
}

/** The slow clock: claims that waited long enough for their other parts. */
export function timePassed(
  work: Work,
  _input: Extract<ManagerInput, { kind: "timePassed" }>,
): void {
  for (const row of work.draft.inbound.select("open", ALL)) {
    if (row.decision?.kind === "claim") work.inbounds.add(rowKeys.inbound(row));
  }
}
