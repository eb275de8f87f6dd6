/**
 * When a forward is irrevocably processed (persistent-events 2J, 3.6; contract section 1 "Removed"): every
 * inbound HTLC is settled, and what the user must know of a claim is handled. HTLCHandlingFailed is not
 * waited for.
 */
import type { ManagerView } from "../draft.js";
import { rowKeys } from "../rows.js";
import { semanticKeys } from "../user-event.js";

/** Why the events of this forward may not be acked yet, in one sentence; undefined: they may. */
export function whyUnresolved(
  view: Pick<ManagerView, "forward" | "inbound" | "item">,
  forwardKey: string,
): string | undefined {
  const forward = view.forward.get(forwardKey);
  if (forward === undefined) return "the forward is unknown";
  if (forward.state === "pending") return "another outbound HTLC of the forward is not resolved";
  let kept = 0;
  for (const htlc of forward.inbound) {
    const key = rowKeys.inbound(htlc);
    const row = view.inbound.get(key);
    if (row?.settled !== true) {
      return `inbound HTLC ${htlc.htlcId} of channel ${htlc.channelId} is not removed durably`;
    }
    if (!row.lost) kept += 1;
  }
  if (forward.state === "failed" || kept === 0) return undefined;
  const forwarded = view.item.select("semantic", semanticKeys.forwarded(forwardKey));
  return forwarded.length === 0 ? "PaymentForwarded is not told yet" : undefined;
}
