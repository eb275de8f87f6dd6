/**
 * Inbound HTLCs: what was decided of each, and when the decision is carried out for good (contract section
 * 1, "Removed" and "Commands"; persistent-events R52 to R59). All of it is a function of rows, evaluated
 * again after every input that can change the answer; commands follow from it and are never queued.
 */
import type { ChannelId, PaymentHash } from "@farwatch/protocol/ids";
import type { InboundHtlc } from "@farwatch/protocol/channel";
import type { ManagerView } from "../draft.js";
import { isPreimageDurable } from "../preimages/record.js";
import { rowKeys, type ChannelRow, type InboundRef, type InboundRow } from "../rows.js";
import { isDurable } from "../updates/durability.js";
import { channelOf, type Work } from "../work.js";

/**
 * In a counterparty commitment that is not revoked. In LDK's bytes a forward names the HTLC by its id and
 * commitments do not: there it is any HTLC of its hash, so one of two parts is gone when both are.
 */
export function findInbound(
  channel: ChannelRow,
  { htlcId, paymentHash }: Pick<InboundRow, "htlcId" | "paymentHash">,
): InboundRef | undefined {
  const views = [channel.counterparty, channel.counterpartyPrevious];
  const isLdk = channel.dialect === "ldk";
  return views
    .flatMap((view) => view?.inbound ?? [])
    .find((ref) => (isLdk ? ref.paymentHash === paymentHash : ref.htlcId === htlcId));
}

/** The node takes no further part in it: what is left happens on chain. */
export const isOver = (channel: Pick<ChannelRow, "closed" | "lockedDown">): boolean =>
  channel.closed !== undefined || channel.lockedDown;

/** The row of an inbound HTLC, created undecided. */
export function inboundRow(
  work: Work,
  nodeKey: string,
  htlc: Omit<InboundHtlc, "cltvExpiry">,
  paymentHash: PaymentHash,
): InboundRow {
  const key = rowKeys.inbound(htlc);
  const known = work.draft.inbound.get(key);
  if (known !== undefined) return known;
  const { channelId, htlcId, amountMsat, userChannelId } = htlc;
  const row: InboundRow = {
    channelId,
    htlcId,
    nodeKey,
    paymentHash,
    amountMsat,
    userChannelId,
    decision: undefined,
    failTold: false,
    failSent: false,
    claimTaken: false,
    removedBy: undefined,
    lost: false,
    settled: false,
  };
  work.draft.inbound.put(key, row);
  return row;
}

export function changeInbound(
  work: Work,
  row: InboundRow,
  change: Partial<InboundRow>,
): InboundRow {
  const changed = { ...row, ...change };
  const key = rowKeys.inbound(changed);
  work.draft.inbound.put(key, changed);
  work.inbounds.add(key);
  return changed;
}

/**
 * Carried out for good. On an open channel: the update that took the HTLC out of the last un-revoked
 * counterparty commitment is durable on every required monitor. On one that is over: a claim, and what
 * was lost to a fail, once the preimage is durable there; a fail at once.
 */
export function isSettled(
  view: Pick<ManagerView, "channel" | "preimage" | "receipt">,
  row: InboundRow,
): boolean {
  const channel = view.channel.get(row.channelId);
  if (channel === undefined) return false;
  const { decision, removedBy, lost } = row;
  const isRemoved = removedBy !== undefined && isDurable(view, channel, removedBy);
  // A contested one is removed by nobody knows what; its channel may still end it below.
  if (isRemoved && (lost || !isContested(row))) return decision !== undefined || lost;
  if (!isOver(channel)) return false;
  // Lost, but closed before the removal was durable: a commitment that still has the HTLC may confirm.
  if (decision?.kind === "claim" || lost) {
    return isPreimageDurable(view, row.channelId, row.paymentHash);
  }
  return decision !== undefined;
}

/**
 * A claim that overtook a fail: as long as the node has not said which of the two the peer has, a removal
 * does not tell either.
 */
export const isContested = ({ decision, failTold, claimTaken }: InboundRow): boolean =>
  decision?.kind === "claim" && failTold && !claimTaken;

/** The accepted secret `updateId` revoked the last counterparty commitment that had these HTLCs. */
export function markRemoved(
  work: Work,
  channelId: ChannelId,
  gone: readonly InboundRef[],
  updateId: NonNullable<InboundRow["removedBy"]>,
): void {
  const channel = channelOf(work, channelId);
  for (const ref of gone) {
    for (const row of rowsOf(work, channel, ref)) {
      if (row.removedBy !== undefined || findInbound(channel, row) !== undefined) continue;
      changeInbound(work, row, { removedBy: updateId });
    }
  }
}

function rowsOf(
  { draft }: Work,
  { channelId, dialect }: ChannelRow,
  { htlcId, paymentHash }: InboundRef,
): readonly InboundRow[] {
  if (dialect === "ldk") {
    return draft.inbound.select("record", rowKeys.preimage({ channelId, paymentHash }));
  }
  const row = draft.inbound.get(rowKeys.inbound({ channelId, htlcId }));
  return row === undefined ? [] : [row];
}
