/**
 * ClaimInbound and FailInbound (contract section 1): wanted as long as an inbound HTLC with a decision is
 * not removed durably. A claim leaves only when its preimage is durable on every required monitor, and
 * of a payment in several parts when it is durable for all of them, or after CLAIM_PATIENCE_MS with an
 * alarm (contract 2.14).
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { CommandResult } from "../input.js";
import { isPreimageDurable } from "../preimages/record.js";
import { rowKeys, type InboundRow, type ItemRow } from "../rows.js";
import { semanticKeys, type NodeCommand } from "../user-event.js";
import { alarm, tell, withdraw, type Work } from "../work.js";
import { changeInbound, findInbound, isContested, isOver } from "./inbound-htlcs.js";

/**
 * Ms. Ten minutes: a monitor that is restarted is back by then, and the smallest usual cltv delta leaves
 * hours after it. Waiting longer risks every part for the sake of one (contract 2.14).
 */
export const CLAIM_PATIENCE_MS = 600_000;

type Wanted = Extract<NodeCommand, { kind: "claimInbound" | "failInbound" }>;

/** Tells, replaces or takes back the command of one HTLC. `group`: all parts of its payment. */
export function keepCommand(work: Work, row: InboundRow, group: readonly InboundRow[]): void {
  const key = rowKeys.inbound(row);
  const claim = semanticKeys.claimInbound(key);
  const fail = semanticKeys.failInbound(key);
  const wanted = wantedOf(work, row, group);
  if (wanted?.kind !== "claimInbound") withdraw(work, claim);
  if (wanted?.kind !== "failInbound") withdraw(work, fail);
  if (wanted === undefined) return;
  if (wanted.kind === "failInbound" && !row.failTold) changeInbound(work, row, { failTold: true });
  tell(work, row.nodeKey, wanted.kind === "claimInbound" ? claim : fail, wanted);
}

function wantedOf(work: Work, row: InboundRow, group: readonly InboundRow[]): Wanted | undefined {
  const channel = work.draft.channel.get(row.channelId);
  if (channel === undefined || row.settled || row.lost || isOver(channel)) return undefined;
  const { channelId, htlcId, decision } = row;
  switch (decision?.kind) {
    case undefined:
      return undefined;
    case "fail":
      return { kind: "failInbound", channelId, htlcId, reason: decision.reason };
    case "claim":
      // The peer has update_fail: nothing that could be sent changes that.
      if (row.failSent && !row.claimTaken) return undefined;
      if (!mayClaim(work, row, group)) return undefined;
      return {
        kind: "claimInbound",
        channelId,
        htlcId,
        preimage: decision.preimage,
        attributionData: decision.attributionData,
      };
    default:
      return assertNever(decision);
  }
}

function mayClaim(work: Work, row: InboundRow, group: readonly InboundRow[]): boolean {
  const isDurable = ({ channelId, paymentHash }: InboundRow): boolean =>
    isPreimageDurable(work.draft, channelId, paymentHash);
  if (!isDurable(row)) return false;
  const late = group.filter((other) => isPart(other) && !isDurable(other));
  if (late.length === 0) return true;
  // Since the last of their records was made: the first may be as old as an earlier claim.
  const records = group.flatMap((other) => work.draft.preimage.get(rowKeys.preimage(other)) ?? []);
  const since = Math.max(...records.map(({ createdAtMs }) => createdAtMs));
  if (work.context.nowMs - since < CLAIM_PATIENCE_MS) return false;
  const text = `the preimage of ${late.length} part(s) of payment ${row.paymentHash} is not durable; the others are claimed`;
  alarm(work, row.nodeKey, "claimPartial", row.paymentHash, text, row.channelId);
  return true;
}

const isPart = ({ decision, lost, settled }: InboundRow): boolean =>
  decision?.kind === "claim" && !lost && !settled;

/** The node's answer to a command; what it means for the HTLC is stored. */
export function commandAnswered(work: Work, item: ItemRow, result: CommandResult): void {
  const answeredIn = work.draft.session.get(item.nodeKey)?.sessionId;
  work.draft.item.put(rowKeys.item(item.itemId), { ...item, answeredIn });
  const { event } = item;
  if (event.kind !== "claimInbound" && event.kind !== "failInbound") return;
  const row = work.draft.inbound.get(rowKeys.inbound(event));
  if (row === undefined) return;
  if (event.kind === "claimInbound") return claimAnswered(work, row, result);
  switch (result) {
    case "sent":
    case "alreadyRemoving":
      changeInbound(work, row, { failSent: true });
      return;
    case "notFound":
      notFound(work, row);
      return;
    case "queued":
    case "channelClosed":
      return;
    default:
      assertNever(result);
  }
}

/** Where a fail had been told before, "already removing" and "not found" speak of that fail. */
function claimAnswered(work: Work, row: InboundRow, result: CommandResult): void {
  switch (result) {
    case "sent":
    case "queued":
      changeInbound(work, row, { claimTaken: true });
      return;
    case "alreadyRemoving":
      changeInbound(work, row, isContested(row) ? { failSent: true } : { claimTaken: true });
      return;
    case "notFound":
      notFound(work, isContested(row) ? changeInbound(work, row, { failSent: true }) : row);
      return;
    case "channelClosed":
      return;
    default:
      assertNever(result);
  }
}

/** Counts as removed only if the accepted updates agree. */
function notFound(work: Work, row: InboundRow): void {
  const channel = work.draft.channel.get(row.channelId);
  if (channel === undefined || row.removedBy !== undefined) return;
  if (findInbound(channel, row) !== undefined) return;
  changeInbound(work, row, { removedBy: channel.acceptedId });
}
