/**
 * A closing channel whose forwarded HTLC is still unresolved while the inbound HTLC is about to expire:
 * fail upstream now, to save the inbound channel (R27). Trampoline forwards count with their earliest
 * inbound expiry. Own payments have nothing upstream to save.
 */
import type { HtlcSource } from "@farwatch/protocol/channel";
import { LATENCY_GRACE_PERIOD_BLOCKS } from "../constants.js";
import { asOutbound, isClosing, liveHtlcs } from "../htlcs.js";
import { failOutbound, type Work } from "../work.js";

export function failBackInTime(work: Work): void {
  const { state } = work;
  if (!isClosing(state)) return;
  const limit = state.best.height + LATENCY_GRACE_PERIOD_BLOCKS;
  const live = [...liveHtlcs(state)].map(({ htlc }) => asOutbound(htlc));
  for (const outbound of [...live, ...state.leftToChain]) {
    if (outbound === undefined || inboundExpiry(outbound.source) > limit) continue;
    failOutbound(work, outbound, { kind: "block", block: state.best });
  }
}

/** Earliest expiry of what it was forwarded from; infinite for our own payments. */
export function inboundExpiry({ origin }: HtlcSource): number {
  switch (origin.kind) {
    case "own":
    case "probe":
      return Number.POSITIVE_INFINITY;
    case "forward":
      return origin.inbound.cltvExpiry;
    case "trampoline":
      return Math.min(Number.POSITIVE_INFINITY, ...origin.inbound.map((htlc) => htlc.cltvExpiry));
  }
}
