/**
 * Events of one monitor, verified and handed on one at a time: the next is read only after the runtime
 * recorded the one before, so a slow disk slows the stream instead of filling memory. An event that
 * does not verify is reported and left un-acked: the monitor keeps it. Bump requests are not signed: they
 * come over the same mutual TLS, and what they cost is limited by the wallet that pays.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { bumpItemFromWire } from "@farwatch/protocol/convert/bump";
import { sealedFromWire } from "@farwatch/protocol/convert/event";
import { openEvent } from "@farwatch/protocol/envelope/open-monitor-message";
import type { MonitorEvent } from "@farwatch/protocol/event";
import type { MonitorEvent as WireEvent } from "@farwatch/protocol/gen/monitor/v1/event";
import type {
  BumpRequestItem,
  StreamEventsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { LinkContext } from "./link-context.js";
import { ConnectionLost } from "./rpc.js";

/** Runs until the stream ends, which always throws. */
export async function feedEvents(context: LinkContext): Promise<void> {
  const { rpc, options } = context;
  const call = rpc.streamEvents(options.epoch);
  const messages: AsyncIterable<StreamEventsResponse> = call;
  for await (const message of messages) {
    if (context.isOver()) break;
    await handleItem(context, message);
  }
  throw new ConnectionLost("the monitor ended the event stream");
}

async function handleItem(context: LinkContext, { item }: StreamEventsResponse): Promise<void> {
  const { host, identity, session } = context;
  if (item === undefined) return; // a kind of item that this version does not know
  switch (item.$case) {
    case "event": {
      const event = verifyEvent(context, item.value);
      if (event.ok) await host.event(identity, session.storeId, event.value);
      else host.alarm(identity, undefined, event.error);
      return;
    }
    case "endOfReplay":
      return host.endOfReplay(identity, item.value.replayed);
    case "bumpRequest":
      return handleBump(context, item.value);
    default:
      return assertNever(item);
  }
}

/** Level-triggered: one that cannot be read is replaced by the next. */
function handleBump({ host, identity }: LinkContext, wire: BumpRequestItem): void {
  const item = bumpItemFromWire(wire);
  if (item.ok) host.bump(identity, item.value);
  else host.alarm(identity, undefined, item.error);
}

/** Signed by the pinned key for this store, and its fields are the signed ones. */
export function verifyEvent(
  { options, session }: Pick<LinkContext, "options" | "session">,
  wire: WireEvent,
): Result<MonitorEvent, Refusal> {
  const { curve, monitorKey, chainHash } = options;
  const { header, payload, signature } = wire;
  const from = { monitorKey, chainHash, storeId: session.storeId };
  const opened = openEvent(curve, from, { header, payload, signature });
  if (!opened.ok) return opened;
  const read = sealedFromWire(wire);
  if (!read.ok) return read;
  const event = read.value;
  const signed = opened.value;
  const same =
    event.eventHash === signed.hash &&
    event.channelId === signed.header.channelId &&
    event.eventId === signed.header.eventId &&
    event.subjectKey === signed.header.key;
  if (same) return ok(event);
  return err(refuse("malformed", "an event's fields are not the signed ones", { field: "event" }));
}
