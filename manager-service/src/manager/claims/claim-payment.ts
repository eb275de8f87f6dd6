/**
 * ClaimPayment: we are the payee (contract section 1; persistent-events S17, S51 to S53). The preimage
 * becomes a record on every part's channel at once; the commands follow when it is durable on all of them
 * (no RAA blocker, contract 2.14), and PaymentClaimed with them.
 */
import { sumMsat } from "@farwatch/protocol/amount";
import { hashOfPreimage } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ManagerInput } from "../input.js";
import { changeInbound, findInbound, inboundRow } from "../inbound/inbound-htlcs.js";
import { isPreimageDurable, recordPreimage } from "../preimages/record.js";
import { rowKeys, type ClaimPart } from "../rows.js";
import { semanticKeys } from "../user-event.js";
import { tell, type Work } from "../work.js";

type Requested = Extract<ManagerInput, { kind: "claimRequested" }>;

/**
 * The same request again changes nothing. Errors: preimageMismatch, channelUnknown, notYourChannel,
 * malformed (no parts, a part twice, one that is not committed, has another hash or amount, or another use).
 */
export function claimPayment(work: Work, requested: Requested): Refusal | undefined {
  const { nodeKey, paymentHash, preimage, parts } = requested;
  if (hashOfPreimage(preimage) !== paymentHash) {
    return refuse("preimageMismatch", "the preimage is not that of the payment hash");
  }
  const key = rowKeys.claim(requested);
  if (key === undefined) return refuse("malformed", "no parts", { field: "parts" });
  const known = work.draft.claim.get(key);
  if (known !== undefined && sameParts(known.parts, parts)) return undefined;
  if (new Set(parts.map(rowKeys.inbound)).size < parts.length) {
    return refuse("malformed", "an HTLC is named twice", { field: "parts" });
  }
  for (const part of parts) {
    const refusal = checkPart(work, requested, part);
    if (refusal !== undefined) return refusal;
  }
  const createdAtMs = work.context.nowMs;
  work.draft.claim.put(key, { nodeKey, paymentHash, preimage, parts, createdAtMs, told: false });
  for (const part of parts) {
    const userChannelId = work.draft.channel.get(part.channelId)?.userChannelId;
    const row = inboundRow(work, nodeKey, { ...part, userChannelId }, paymentHash);
    recordPreimage(work, part.channelId, preimage, undefined);
    changeInbound(work, row, { decision: { kind: "claim", preimage } });
  }
  return undefined;
}

const sameParts = (known: readonly ClaimPart[], named: readonly ClaimPart[]): boolean => {
  const keys = (parts: readonly ClaimPart[]): string => parts.map(rowKeys.inbound).sort().join();
  return keys(known) === keys(named);
};

function checkPart(work: Work, requested: Requested, part: ClaimPart): Refusal | undefined {
  const details = { channel_id: part.channelId, htlc_id: String(part.htlcId) };
  const channel = work.draft.channel.get(part.channelId);
  if (channel === undefined) return refuse("channelUnknown", "the channel is not watched", details);
  if (channel.nodeKey !== requested.nodeKey) {
    return refuse("notYourChannel", "another node's channel", details);
  }
  const bad = (why: string): Refusal => refuse("malformed", why, { ...details, field: "parts" });
  const found = findInbound(channel, { ...part, paymentHash: requested.paymentHash });
  if (found === undefined) return bad("the HTLC is in no un-revoked commitment");
  if (found.paymentHash !== requested.paymentHash) return bad("the HTLC has another payment hash");
  if (found.amountMsat !== part.amountMsat) return bad("the HTLC has another amount");
  const key = rowKeys.inbound(part);
  if (work.draft.forward.select("inbound", key).length > 0) return bad("the HTLC is forwarded");
  return work.draft.claim.select("inbound", key).length > 0
    ? bad("the HTLC is part of another claim")
    : undefined;
}

/** Tells PaymentClaimed once every part is settled or has its preimage durable on its channel. */
export function tellClaimed(work: Work, key: string): void {
  const claim = work.draft.claim.get(key);
  if (claim === undefined || claim.told) return;
  const { nodeKey, paymentHash, parts } = claim;
  const durable = parts.every(
    (part) =>
      work.draft.inbound.get(rowKeys.inbound(part))?.settled === true ||
      isPreimageDurable(work.draft, part.channelId, paymentHash),
  );
  if (!durable) return;
  work.draft.claim.put(key, { ...claim, told: true });
  const amountMsat = sumMsat(parts.map((part) => part.amountMsat));
  const event = { kind: "paymentClaimed", paymentHash, amountMsat } as const;
  tell(work, nodeKey, semanticKeys.paymentClaimed(key), event);
}
