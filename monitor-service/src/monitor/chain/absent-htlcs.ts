/**
 * Outbound HTLCs that the confirmed commitment does not have as an output (dust, not yet committed, or
 * removed but not revoked) fail once that commitment is 6 deep (R21, R28). Matching is by source only:
 * by hash and amount two parts of one payment could be confused.
 */
import type { CommitmentHtlc } from "@farwatch/protocol/channel";
import { sourcedCounterpartyHtlcs } from "../htlcs.js";
import type { FundingSpend, OutboundHtlc } from "../state.js";
import { failOutbound, type Work } from "../work.js";
import { waitForFailure } from "./waiting.js";

export function failAbsentHtlcs(
  work: Work,
  spend: Pick<FundingSpend, "txid" | "block">,
  confirmed: readonly CommitmentHtlc[],
): void {
  const present = new Set(
    confirmed
      .filter(({ outputIndex }) => outputIndex !== undefined)
      .map(({ source }) => source?.sourceKey),
  );
  for (const htlc of sourcedCounterpartyHtlcs(work.state)) {
    const key = htlc.source.sourceKey;
    if (present.has(key) || work.state.fulfilled.has(key)) continue;
    waitForFailure(work, htlc, spend.txid, spend.block, undefined);
  }
}

/** An HTLC first heard of after the spend: it matures with the spend. */
export function failWithSpend(work: Work, htlc: OutboundHtlc, spend: FundingSpend): void {
  if (work.state.fulfilled.has(htlc.source.sourceKey)) return;
  if (spend.final) {
    failOutbound(work, htlc, { kind: "chain", txid: spend.txid, block: spend.block });
  } else {
    waitForFailure(work, htlc, spend.txid, spend.block, undefined);
  }
}
