/**
 * Results that a monitor from before had told and nobody had acked (contract 2.9): told again here, under
 * ids from 1, in the order in which they were stored, and remembered as told. A result is believed only
 * as far as the commitments allow: a failure of an HTLC that one of them still has is refused.
 */
import type { ImportedEvent } from "@farwatch/protocol/convert/imported-events";
import { hashOfPreimage } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { MonitorContext } from "./context.js";
import { relayFulfilled } from "./earlier-state.js";
import { liveHtlcs } from "./htlcs.js";
import type { MonitorState } from "./state.js";
import { change, claimOutbound, failOutbound, startWork, withEntry, type Work } from "./work.js";

/** Errors: preimageMismatch, malformed. */
export function importEvents(
  ctx: MonitorContext,
  state: MonitorState,
  events: readonly ImportedEvent[],
): Result<Work, Refusal> {
  const work = startWork(ctx, state);
  relayFulfilled(work);
  const live = new Set([...liveHtlcs(state)].map(({ htlc }) => htlc.source?.sourceKey));
  for (const [index, event] of events.entries()) {
    const field = `pending_events[${index}]`;
    const isLive = live.has(event.body.source.sourceKey);
    const refusal = importOne(work, event, isLive, field);
    if (refusal !== undefined) return err(refusal);
  }
  return ok(work);
}

function importOne(
  work: Work,
  { body, origin }: ImportedEvent,
  isLive: boolean,
  field: string,
): Refusal | undefined {
  const { resolution, source, paymentHash } = body;
  if (resolution.kind === "claimed") {
    if (hashOfPreimage(resolution.preimage) !== paymentHash) {
      return refuse("preimageMismatch", "it does not open the payment hash", { field });
    }
    claimOutbound(work, body, resolution.preimage, origin, resolution);
    return undefined;
  }
  if (isLive) {
    return refuse("malformed", "failed, though a commitment still has it", { field });
  }
  const { failReasons } = work.state;
  change(work, { failReasons: withEntry(failReasons, source.sourceKey, resolution.reason) });
  failOutbound(work, body, origin);
  change(work, { failReasons });
  return undefined;
}
