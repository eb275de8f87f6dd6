/**
 * What a refused update revealed: its preimages are kept as rows, whatever the reason of the refusal
 * (contract 2.12). A claimed entry also proves that the payments of its hash were paid, and claims the
 * forward it is of: no monitor applies the update, so no event will. A preimage step does neither,
 * because it may be about an inbound HTLC.
 */
import {
  hashOfPreimage,
  type ChannelId,
  type Preimage,
  type SourceKey,
} from "@farwatch/protocol/ids";
import type { Msat } from "@farwatch/protocol/amount";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { UpdateStep } from "@farwatch/protocol/update";
import { claimKnownLeg } from "../forwards/outcomes.js";
import { paymentSucceeded } from "../payments/outbound.js";
import { recordPreimage } from "../preimages/record.js";
import { alarm, channelOf, type Work } from "../work.js";

export interface Revealed {
  /** undefined: a preimage step, which names no HTLC. */
  readonly sourceKey: SourceKey | undefined;
  readonly preimage: Preimage;
  readonly skimmedFeeMsat: Msat | undefined;
  readonly attributionData: Uint8Array | undefined;
}

const NAMELESS = {
  sourceKey: undefined,
  skimmedFeeMsat: undefined,
  attributionData: undefined,
} as const;

export const revealedBy = (steps: readonly UpdateStep[]): readonly Revealed[] =>
  steps.flatMap((step): readonly Revealed[] => {
    if (step.kind === "latestHolderCommitment") return step.claimed;
    const { kind } = step;
    return kind === "paymentPreimage" ? [{ ...NAMELESS, preimage: step.preimage }] : [];
  });

/** Effects: a row and an alarm each; where a claimed entry proves it, PaymentSent or the claim of a forward. */
export function keepPreimages(
  work: Work,
  channelId: ChannelId,
  revealed: readonly Revealed[],
  refusal: Refusal,
): void {
  const { nodeKey } = channelOf(work, channelId);
  for (const { sourceKey, preimage, skimmedFeeMsat, attributionData } of revealed) {
    const paymentHash = hashOfPreimage(preimage);
    recordPreimage(work, channelId, preimage, sourceKey);
    if (sourceKey !== undefined) {
      const claim = { preimage, onChain: false, skimmedFeeMsat, attributionData };
      claimKnownLeg(work, sourceKey, claim);
      for (const payment of work.draft.payment.select("hash", paymentHash)) {
        if (payment.nodeKey === nodeKey) paymentSucceeded(work, payment, preimage);
      }
    }
    const isUnfound = refusal.reason === "claimNotFound" && sourceKey !== undefined;
    if (isUnfound && refusal.details["source_key"] === sourceKey) {
      alarm(work, nodeKey, "claimNotFound", sourceKey, refusal.message, channelId);
    } else {
      const text = `an update was refused (${refusal.reason}); a preimage in it is kept`;
      alarm(work, nodeKey, "preimageKept", `${channelId}/${paymentHash}`, text, channelId);
    }
  }
}
