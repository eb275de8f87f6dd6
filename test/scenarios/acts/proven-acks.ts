/**
 * An ack deletes the only copy of a result, so the manager must have it first: what it concluded, and
 * that the user is done with it (persistent-events 3.8, G4). Read off the disks as a crash leaves them.
 */
import { must } from "@farwatch/protocol/assert";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import type { MonitorEventBody, SealedMonitorEvent } from "@farwatch/protocol/event";
import { decodeRow } from "@farwatch/manager-service/manager/codec";
import type {
  InboundRow,
  ItemRow,
  LegRow,
  PartRow,
  PaymentRow,
} from "@farwatch/manager-service/manager/rows";
import type { World } from "../world/world.js";

type Result = Extract<MonitorEventBody, { kind: "htlcEvent" }>;
type Rows = ReadonlyMap<string, Uint8Array>;

/** Results whose ack a monitor has stored and that the manager's rows do not bear out; empty. */
export function unprovenAcks(world: World): readonly string[] {
  const rows = world.manager.disk.rows();
  return world.monitors.flatMap(({ name, disk }) => {
    const kept = new Set(disk.events().map(({ event }) => event.eventHash));
    const acked = disk.told().filter(({ eventHash }) => !kept.has(eventHash));
    return acked.flatMap((event) => {
      const result = resultOf(event);
      const fault = result === undefined ? undefined : faultOf(rows, result);
      return fault === undefined ? [] : [`${name}, event ${event.eventId}: ${fault}`];
    });
  });
}

/** How many results were acked, for a test that needs there to be some. */
export const ackedResults = ({ monitors }: World): number =>
  monitors
    .map(({ disk }) => disk.told().filter(resultOf).length - disk.events().length)
    .reduce((sum, count) => sum + count, 0);

function resultOf({ payload }: SealedMonitorEvent): Result | undefined {
  const read = decodeEventPayload(payload);
  if (!read.ok) throw new Error("a payload that the monitor wrote");
  return read.value.body.kind === "htlcEvent" ? read.value.body : undefined;
}

function faultOf(rows: Rows, { source, resolution: { kind } }: Result): string | undefined {
  const { sourceKey, origin } = source;
  const part = rowOf<PartRow>(rows, `part/${sourceKey}`);
  const leg = rowOf<LegRow>(rows, `leg/${sourceKey}`);
  const state = (part ?? leg)?.state;
  if (state !== kind) return `the manager holds it for ${state ?? "unknown"}, not ${kind}`;
  if (part !== undefined) return paymentFault(rows, part, kind);
  if (origin.kind !== "forward") return "a forward's leg without a forward";
  const { channelId, htlcId } = origin.inbound;
  const key = `inbound/${channelId}/${String(must(htlcId, "inbound id")).padStart(20, "0")}`;
  const inbound = rowOf<InboundRow>(rows, key);
  if (inbound?.removedBy === undefined) return "the inbound HTLC is not removed";
  return unhandled(rows, "payment-forwarded/");
}

function paymentFault(rows: Rows, part: PartRow, kind: string): string | undefined {
  const payment = rowOf<PaymentRow>(rows, `payment/${part.paymentId}`);
  const expected = kind === "claimed" ? "sent" : "failed";
  if (payment?.state !== expected) return `the payment is ${payment?.state ?? "unknown"}`;
  return unhandled(rows, `payment-${expected}/${part.paymentId}`);
}

/** An event that the user is not done with. */
function unhandled(rows: Rows, semanticKey: string): string | undefined {
  for (const [key, value] of rows) {
    if (!key.startsWith("item/")) continue;
    const item = decodeRow<ItemRow>(value);
    if (item.semanticKey.startsWith(semanticKey) && !item.handled)
      return `${item.semanticKey} waits`;
  }
  return undefined;
}

function rowOf<R>(rows: Rows, key: string): R | undefined {
  const bytes = rows.get(key);
  return bytes === undefined ? undefined : decodeRow<R>(bytes);
}
