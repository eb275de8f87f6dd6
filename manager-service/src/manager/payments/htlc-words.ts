/**
 * What the node says about one outbound HTLC before a monitor can know it: the peer fulfilled it (fast path,
 * R14), or it never entered a counterparty commitment (R15). The second is refused for an HTLC of any
 * accepted update: only a monitor may resolve that one.
 */
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { hashOfPreimage } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import { checkLeg, legOf, type NewLeg } from "../forwards/accept-leg.js";
import { claimKnownLeg, legNotSent } from "../forwards/outcomes.js";
import type { ManagerInput } from "../input.js";
import type { LegRow, PartRow } from "../rows.js";
import type { Work } from "../work.js";
import { claimKnownPart, failIfOver, tellPartFailed } from "./outbound.js";
import { addPart, changePart, checkPart, type NewPart } from "./parts.js";

type Input<K extends ManagerInput["kind"]> = Extract<ManagerInput, { kind: K }>;

/** BOLT 4 `temporary_channel_failure` (UPDATE|7): what a sender sees of a part that never left. */
const TEMPORARY_CHANNEL_FAILURE = 0x1000 | 7;
const NOT_SENT: HtlcFailReason = {
  cause: { kind: "local", failureCode: TEMPORARY_CHANNEL_FAILURE, data: new Uint8Array() },
  holdTime: undefined,
  attributionData: undefined,
};

const committed = (sourceKey: string): Refusal =>
  refuse("htlcCommitted", "an accepted update contains the HTLC: a monitor resolves it", {
    source_key: sourceKey,
  });

/** Errors: htlcCommitted, malformed (other payment's source); of a forward those of checkLeg. */
export function htlcNotSent(work: Work, input: Input<"htlcNotSent">): Refusal | undefined {
  const { source, nodeKey, channelId, paymentHash } = input;
  const { origin, sourceKey } = source;
  if (origin.kind === "own" || origin.kind === "probe") {
    const { firstHopMsat: amountMsat } = origin.part;
    const named = { sourceKey, source: origin.part, channelId, nodeKey, paymentHash, amountMsat };
    return partNotSent(work, { ...named, isProbe: origin.kind === "probe" });
  }
  // What it would have carried: the node does not say, and nothing depends on it any more.
  const amountMsat = msat(0);
  const named = { channelId, nodeKey, paymentHash, amountMsat };
  const leg = legOf({ ...named, htlcId: undefined, userChannelId: undefined }, source);
  return leg === undefined
    ? refuse("malformed", "a trampoline names no inbound HTLC", { field: "source" })
    : forwardNotSent(work, leg);
}

function forwardNotSent(work: Work, leg: NewLeg): Refusal | undefined {
  const known = work.draft.leg.get(leg.sourceKey);
  if (known?.state === "notSent") return undefined;
  if (known !== undefined) return committed(leg.sourceKey);
  const refusal = checkLeg(work, leg);
  if (refusal === undefined) legNotSent(work, leg, NOT_SENT);
  return refusal;
}

function partNotSent(work: Work, named: NewPart): Refusal | undefined {
  const known = work.draft.part.get(named.sourceKey);
  if (known?.state === "notSent") return undefined;
  if (known !== undefined) return committed(named.sourceKey);
  const refusal = checkPart(work, named);
  if (refusal !== undefined) return refusal;
  addPart(work, named);
  const part: PartRow = must(work.draft.part.get(named.sourceKey), "part");
  const payment = must(work.draft.payment.get(part.paymentId), "payment");
  changePart(work, part, "notSent");
  if (payment.state === "sent") return undefined;
  tellPartFailed(work, payment, part, NOT_SENT);
  failIfOver(work, payment);
  return undefined;
}

/**
 * The peer's update_fulfill_htlc arrived. The preimage proves it, whatever becomes of the HTLC. Errors:
 * channelUnknown, notYourChannel, claimNotFound, preimageMismatch.
 */
export function htlcFulfilled(work: Work, input: Input<"htlcFulfilled">): Refusal | undefined {
  const { channelId, nodeKey, sourceKey, preimage } = input;
  const details = { channel_id: channelId, source_key: sourceKey };
  const channel = work.draft.channel.get(channelId);
  if (channel === undefined) return refuse("channelUnknown", "no such channel", details);
  if (channel.nodeKey !== nodeKey) {
    return refuse("notYourChannel", "another node's channel", details);
  }
  const part = work.draft.part.get(sourceKey);
  const leg = work.draft.leg.get(sourceKey);
  if ((part ?? leg)?.channelId !== channelId) {
    return refuse("claimNotFound", "no accepted update of the channel has this HTLC", details);
  }
  if (hashOfPreimage(preimage) !== hashOf(work, part, leg)) {
    return refuse("preimageMismatch", "the preimage is not that of the HTLC", details);
  }
  const { skimmedFeeMsat, attributionData } = input;
  if (part !== undefined) claimKnownPart(work, part, preimage);
  else {
    const claim = { preimage, onChain: false, skimmedFeeMsat, attributionData };
    claimKnownLeg(work, sourceKey, claim);
  }
  return undefined;
}

const hashOf = (work: Work, part: PartRow | undefined, leg: LegRow | undefined) =>
  part === undefined
    ? work.draft.forward.get(leg?.forwardKey ?? "")?.paymentHash
    : work.draft.payment.get(part.paymentId)?.paymentHash;
