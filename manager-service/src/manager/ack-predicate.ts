/**
 * The one rule when a monitor event may be acked (persistent-events 2J for the kinds this role knows),
 * over rows only. It is evaluated on the rows of the very transaction that stores the ack intent, so an
 * intent on disk implies that what justifies it is on disk too.
 *
 * | event | acked when |
 * |---|---|
 * | claimed, own payment | PaymentSent is handled |
 * | failed, own payment | PaymentPathFailed, and PaymentFailed if it is told, are handled |
 * | failed, after a claim or twice | at once, or with those items if they are still un-handled |
 * | failed, probe | ProbeResult is answered, and the ProbeSuccessful or ProbeFailed it leads to is handled |
 * | claimed, forward | every inbound HTLC is settled (inbound-htlcs.ts) and PaymentForwarded is handled |
 * | failed, forward | every inbound HTLC is settled; HTLCHandlingFailed is not waited for |
 * | claimed, inbound removed by a fail | ForwardLost is handled |
 * | any, role NODE_RESOLVES | the node is done with it |
 * | any, role OBSERVE | in the commit that records it |
 * | holder force-closed, commitment confirmed | in the commit that stores closed and ChannelClosed |
 * | spendable outputs, discard funding | its item is handled |
 * | failed, from update n | not before n is durable on every required monitor and the above |
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { ManagerView } from "./draft.js";
import { forwardCondition, forwardOfCondition } from "./forwards/outcomes.js";
import { whyUnresolved } from "./forwards/resolved.js";
import { rowKeys, type InboxRow, type ItemRow } from "./rows.js";
import type { Work } from "./work.js";

const unhandled = (view: Pick<ManagerView, "item">, semanticKey: string): ItemRow | undefined =>
  view.item.select("semantic", semanticKey).find((item) => !item.handled);

export type AckView = Pick<ManagerView, "item" | "forward" | "inbound">;

/** What the ack waits for, in one sentence; undefined: nothing, it is on its way or may go now. */
export function whyNotAcked(view: AckView, row: InboxRow): string | undefined {
  switch (row.state) {
    case "held": {
      const { origin } = row;
      const id = origin.kind === "update" ? origin.updateId : 0n;
      return `update ${id} is not durable on every required monitor yet`;
    }
    case "waiting": {
      for (const wanted of row.waitsFor) {
        const forwardKey = forwardOfCondition(wanted);
        if (forwardKey !== undefined) {
          const why = whyUnresolved(view, forwardKey);
          if (why !== undefined) return why;
        } else if (unhandled(view, wanted) !== undefined) {
          return `the node has not handled ${wanted}`;
        }
      }
      return undefined;
    }
    case "ackable":
      return undefined;
    case "stuck":
      return "this version cannot process the event; it is kept";
    default:
      return assertNever(row.state);
  }
}

/** Stores ack intents for every event that this step made ackable. */
export function storeAckIntents(work: Work): void {
  const { draft } = work;
  const rows = new Map<string, InboxRow>();
  const consider = (row: InboxRow): unknown => rows.set(rowKeys.inbox(row), row);
  const changed = draft.item.written().map(({ semanticKey }) => semanticKey);
  const forwards = [...work.forwards].map(forwardCondition);
  for (const key of [...changed, ...work.withdrawn, ...forwards]) {
    draft.inbox.select("waitsFor", key).forEach(consider);
  }
  draft.inbox.written().forEach(consider);
  for (const key of [...rows.keys()].sort()) {
    const row = draft.inbox.get(key);
    if (row?.state !== "waiting" || whyNotAcked(draft, row) !== undefined) continue;
    const { monitorKey, storeId, channelId, eventId, eventHash, joined } = row;
    const ack = { monitorKey, storeId, channelId, eventId, eventHash, joined };
    draft.inbox.put(key, { ...row, state: "ackable" });
    draft.ack.put(key, ack);
    work.effects.push({ kind: "sendAck", ack });
  }
}
