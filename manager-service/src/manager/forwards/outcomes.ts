/**
 * What becomes of a forward (persistent-events 2G; contract 2.6, 2.7, 2.14, 2.17). A preimage goes at once
 * to every inbound channel as a record; PaymentForwarded follows when it is durable there. A fail goes
 * upstream when no leg is alive any more. A claim replaces a fail as long as the node has not sent it;
 * after that the channel decides: closed on chain it can still be claimed, removed it is lost.
 */
import { msat, sumMsat, type Msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { hashOfPreimage, type Preimage, type SourceKey } from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import { changeInbound, inboundRow, isContested, isOver } from "../inbound/inbound-htlcs.js";
import { isPreimageDurable, recordPreimage } from "../preimages/record.js";
import { rowKeys, type ForwardRow, type InboundRow, type LegRow } from "../rows.js";
import { semanticKeys, type HtlcLocator } from "../user-event.js";
import { alarm, tell, withdraw, type Work } from "../work.js";
import { addLeg, type NewLeg } from "./accept-leg.js";

/** BOLT 4, NODE|25: what an incoming HTLC of a trampoline is failed with. */
const TEMPORARY_TRAMPOLINE_FAILURE = 0x2000 | 25;
const TRAMPOLINE_FAILED: HtlcFailReason = {
  cause: { kind: "local", failureCode: TEMPORARY_TRAMPOLINE_FAILURE, data: new Uint8Array() },
  holdTime: undefined,
  attributionData: undefined,
};

export interface Claim {
  readonly preimage: Preimage;
  readonly onChain: boolean;
  readonly skimmedFeeMsat: Msat | undefined;
  readonly attributionData?: Uint8Array | undefined;
}

const forwardOf = (work: Work, { forwardKey }: LegRow): ForwardRow =>
  must(work.draft.forward.get(forwardKey), "forward of a leg");

function changeForward(work: Work, row: ForwardRow, change: Partial<ForwardRow>): ForwardRow {
  const changed = { ...row, ...change };
  work.draft.forward.put(row.forwardKey, changed);
  work.forwards.add(row.forwardKey);
  return changed;
}

const changeLeg = (work: Work, leg: LegRow, state: LegRow["state"]): LegRow => {
  const row = { ...leg, state };
  work.draft.leg.put(row.sourceKey, row);
  return row;
};

/** The preimage of a leg is known. Returns what the ack waits for. */
export function claimLeg(work: Work, named: NewLeg, claim: Claim): readonly string[] {
  const leg = changeLeg(work, addLeg(work, named), "claimed");
  const forward = forwardOf(work, leg);
  if (forward.state === "claimed") {
    learnMore(work, forward, claim);
    return conditionsOf(forward);
  }
  const { preimage, onChain: claimFromOnchain, skimmedFeeMsat } = claim;
  const change = { state: "claimed", preimage, claimFromOnchain, skimmedFeeMsat } as const;
  const claimed = changeForward(work, forward, change);
  const rows = forward.inbound.map((htlc) =>
    inboundRow(work, forward.nodeKey, htlc, forward.paymentHash),
  );
  for (const row of rows) claimInbound(work, claimed, row, { leg, ...claim });
  // No peer can have a fail: it never became one. Otherwise tellForwarded decides.
  if (!rows.some(({ failTold }) => failTold)) takeFailBack(work, claimed);
  return conditionsOf(claimed);
}

/** The fast path may not have known what was skimmed, or what the peer says of hold times. */
function learnMore(work: Work, forward: ForwardRow, claim: Claim): void {
  const { attributionData } = claim;
  const skimmedFeeMsat = forward.skimmedFeeMsat ?? claim.skimmedFeeMsat;
  changeForward(work, forward, { skimmedFeeMsat });
  if (attributionData === undefined) return;
  for (const row of inboundOf(work, forward)) {
    const { decision } = row;
    if (decision?.kind !== "claim" || decision.attributionData !== undefined) continue;
    changeInbound(work, row, { decision: { ...decision, attributionData } });
  }
}

const takeFailBack = (work: Work, { forwardKey }: ForwardRow): unknown =>
  withdraw(work, semanticKeys.handlingFailed(forwardKey));

/**
 * As claimLeg, of the HTLC that an accepted update brought under this source. Returns false when there is
 * none, or it has another payment hash.
 */
export function claimKnownLeg(work: Work, sourceKey: SourceKey, claim: Claim): boolean {
  const leg = work.draft.leg.get(sourceKey);
  if (leg === undefined) return false;
  const forward = forwardOf(work, leg);
  if (forward.paymentHash !== hashOfPreimage(claim.preimage)) return false;
  claimLeg(work, { ...forward, ...leg }, claim);
  return true;
}

/** The preimage of a leg came in an update: the inbound channels have it before any monitor's event. */
export function relayPreimage(work: Work, sourceKey: SourceKey, preimage: Preimage): void {
  const leg = work.draft.leg.get(sourceKey);
  if (leg === undefined) return;
  for (const { channelId } of forwardOf(work, leg).inbound) {
    recordPreimage(work, channelId, preimage, sourceKey);
  }
}

function claimInbound(
  work: Work,
  forward: ForwardRow,
  row: InboundRow,
  { leg, preimage, attributionData }: Claim & { readonly leg: LegRow },
): void {
  const { channelId, paymentHash, decision: before, removedBy } = row;
  const known = work.draft.preimage.get(rowKeys.preimage({ channelId, paymentHash }));
  // Removed with its preimage known to the channel: the node claimed it by itself.
  const claimedByNode = before === undefined && known !== undefined;
  // Of a removed HTLC too: our own commitment may still have it (contract 2.11).
  recordPreimage(work, channelId, preimage, leg.sourceKey);
  if (removedBy !== undefined && !claimedByNode) {
    lose(work, forward, row);
    return;
  }
  const channel = work.draft.channel.get(channelId);
  if (channel === undefined) {
    const text = `a forward is claimed whose inbound channel ${channelId} is not watched`;
    alarm(work, row.nodeKey, "inboundUnknown", rowKeys.inbound(row), text, leg.channelId);
  }
  // A fail may have been carried out on a closed channel; the claim is not yet.
  const decision = { kind: "claim", preimage, attributionData } as const;
  changeInbound(work, row, { decision, settled: false });
}

/** The peer had update_fail before the claim, and the HTLC is removed: it is lost. */
export function lateClaim(work: Work, row: InboundRow): InboundRow {
  const { decision, failSent, claimTaken, removedBy, lost } = row;
  const isLate = decision?.kind === "claim" && failSent && !claimTaken;
  if (!isLate || removedBy === undefined || lost) return row;
  const [forward] = work.draft.forward.select("inbound", rowKeys.inbound(row));
  if (forward?.state !== "claimed") return row;
  return lose(work, forward, row);
}

function lose(work: Work, forward: ForwardRow, row: InboundRow): InboundRow {
  const lost = changeInbound(work, row, { lost: true });
  const [leg] = work.draft.leg
    .select("forward", forward.forwardKey)
    .filter(({ state }) => state === "claimed");
  const key = rowKeys.inbound(row);
  const text = `inbound HTLC ${key} was failed before its preimage was known: its amount is lost`;
  alarm(work, row.nodeKey, "forwardLost", key, text, row.channelId);
  tell(work, row.nodeKey, semanticKeys.forwardLost(key), {
    kind: "forwardLost",
    prev: inboundLocator(lost),
    next: legLocator(must(leg, "a claimed leg")),
    amountMsat: row.amountMsat,
  });
  return lost;
}

/** A leg failed for good. Returns what the ack waits for. */
export function failLeg(work: Work, named: NewLeg, reason: HtlcFailReason): readonly string[] {
  const leg = addLeg(work, named);
  if (leg.state === "alive") {
    changeLeg(work, leg, "failed");
    failIfOver(work, forwardOf(work, leg), reason);
  }
  work.forwards.add(leg.forwardKey);
  return conditionsOf(forwardOf(work, leg));
}

/** The node says that this HTLC never entered a counterparty commitment (R15). */
export function legNotSent(work: Work, named: NewLeg, reason: HtlcFailReason): void {
  const leg = changeLeg(work, addLeg(work, named), "notSent");
  failIfOver(work, forwardOf(work, leg), reason);
}

function failIfOver(work: Work, forward: ForwardRow, cause: HtlcFailReason): void {
  if (forward.state !== "pending") return;
  const legs = work.draft.leg.select("forward", forward.forwardKey);
  if (legs.some(({ state }) => state === "alive")) return;
  const reason = forward.kind === "trampoline" ? TRAMPOLINE_FAILED : cause;
  changeForward(work, forward, { state: "failed" });
  const rows = forward.inbound.map((htlc) =>
    inboundRow(work, forward.nodeKey, htlc, forward.paymentHash),
  );
  for (const row of rows) {
    if (row.decision === undefined)
      changeInbound(work, row, { decision: { kind: "fail", reason } });
  }
  tell(work, forward.nodeKey, semanticKeys.handlingFailed(forward.forwardKey), {
    kind: "htlcHandlingFailed",
    prev: rows.map(inboundLocator),
    reason,
  });
}

/** Tells PaymentForwarded once every inbound HTLC is lost or has its preimage durable, one at least. */
export function tellForwarded(work: Work, forwardKey: string): void {
  const forward = work.draft.forward.get(forwardKey);
  if (forward?.state !== "claimed") return;
  const rows = inboundOf(work, forward);
  const kept = rows.filter(({ lost }) => !lost);
  if (kept.length === 0 || !kept.every((row) => isClaimDurable(work, row))) return;
  const legs = work.draft.leg
    .select("forward", forwardKey)
    .filter(({ state }) => state === "claimed" || state === "alive");
  const sum = (htlcs: readonly { readonly amountMsat: Msat }[]): Msat =>
    sumMsat(htlcs.map(({ amountMsat }) => amountMsat));
  const earned = sum(kept) - sum(legs);
  takeFailBack(work, forward);
  tell(work, forward.nodeKey, semanticKeys.forwarded(forwardKey), {
    kind: "paymentForwarded",
    prev: kept.map(inboundLocator),
    next: legs.map(legLocator),
    totalFeeMsat: msat(earned > 0n ? earned : 0n),
    skimmedFeeMsat: forward.skimmedFeeMsat,
    claimFromOnchain: forward.claimFromOnchain,
  });
}

function isClaimDurable(work: Work, row: InboundRow): boolean {
  if (row.decision?.kind !== "claim") return false;
  const channel = work.draft.channel.get(row.channelId);
  if (channel === undefined || (isContested(row) && !isOver(channel))) return false;
  return row.settled || isPreimageDurable(work.draft, row.channelId, row.paymentHash);
}

const inboundOf = (work: Pick<Work, "draft">, forward: ForwardRow): readonly InboundRow[] =>
  forward.inbound.map((htlc) =>
    must(work.draft.inbound.get(rowKeys.inbound(htlc)), "inbound row of a forward"),
  );

const inboundLocator = (row: InboundRow): HtlcLocator => ({
  channelId: row.channelId,
  htlcId: row.htlcId,
  amountMsat: row.amountMsat,
  userChannelId: row.userChannelId,
});
const legLocator = (leg: LegRow): HtlcLocator => ({
  channelId: leg.channelId,
  htlcId: leg.htlcId,
  amountMsat: leg.amountMsat,
  userChannelId: leg.userChannelId,
});

/** Names in InboxRow.waitsFor: the forward as a whole, and the items that end it. */
export const conditionsOf = ({ forwardKey, inbound }: ForwardRow): readonly string[] => [
  forwardCondition(forwardKey),
  semanticKeys.forwarded(forwardKey),
  ...inbound.map((htlc) => semanticKeys.forwardLost(rowKeys.inbound(htlc))),
];

const FORWARD_PREFIX = "forward/";
export const forwardCondition = (forwardKey: string): string => `${FORWARD_PREFIX}${forwardKey}`;
/** The forward a condition names; undefined: the condition names an item. */
export const forwardOfCondition = (condition: string): string | undefined =>
  condition.startsWith(FORWARD_PREFIX) ? condition.slice(FORWARD_PREFIX.length) : undefined;
