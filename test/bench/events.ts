/**
 * Events out of the monitor and acked for ever: the whole backlog is streamed while signed ack batches
 * go back, until the monitor holds none. Acks are signed here, so the manager's part is in the figure.
 */
import { assert } from "@farwatch/protocol/assert";
import { sealedFromWire } from "@farwatch/protocol/convert/event";
import {
  AckResult,
  StreamEventsResponse,
  type AckEventsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { AckedEvent } from "../contract/shell/test-manager.js";
import { elapsedMs, median, perSecond } from "./clock.js";
import type { MonitorUnderTest } from "./monitor.js";
import { rawPour } from "./raw-grpc.js";
import { rateRow, type Row } from "./report.js";

/** Acks under one signature. */
const ACK_BATCH = 256;

export async function eventsAcked(monitor: MonitorUnderTest, expected: number): Promise<Row> {
  const pending = await monitor.client.pendingEvents();
  assert(pending.length === expected, `${expected} events pending, not ${pending.length}`);
  const bytes = median(
    pending.map((value) => {
      const response: StreamEventsResponse = { item: { $case: "event", value } };
      return StreamEventsResponse.encode(response).finish().length;
    }),
  );
  const ms = await elapsedMs(() => drain(monitor, expected));
  const left = await monitor.client.pendingEvents();
  assert(left.length === 0, `${left.length} events are still pending`);
  return rateRow("events delivered and acked/s", "events/s", perSecond(expected, ms), {
    name: `raw grpc-js server stream with TLS, messages of ${bytes} bytes, no acks`,
    value: await rawPour(monitor.folder, bytes, expected),
  });
}

/** Resolves when every replayed event is acked. */
async function drain(monitor: MonitorUnderTest, expected: number): Promise<void> {
  const call = monitor.client.rpc.streamEvents({ epoch: monitor.epoch });
  const acks: Promise<void>[] = [];
  let batch: AckedEvent[] = [];
  const flush = (): void => {
    if (batch.length > 0) acks.push(ack(monitor, batch));
    batch = [];
  };
  const replayed = await new Promise<bigint>((resolve, reject) => {
    call.on("error", reject);
    call.on("data", ({ item }: StreamEventsResponse) => {
      if (item?.$case === "endOfReplay") return resolve(item.value.replayed);
      if (item?.$case !== "event") return;
      const event = sealedFromWire(item.value);
      if (!event.ok) return reject(new Error(`an event does not parse: ${event.error.message}`));
      batch.push(event.value);
      if (batch.length === ACK_BATCH) flush();
    });
  });
  flush();
  await Promise.all(acks);
  call.on("error", () => undefined); // our own cancel
  call.cancel();
  assert(replayed === BigInt(expected), `${expected} events replayed, not ${replayed}`);
}

async function ack(monitor: MonitorUnderTest, events: readonly AckedEvent[]): Promise<void> {
  const request = monitor.acks(events);
  const { client } = monitor;
  const { results } = await client.call<AckEventsResponse>((done) =>
    client.rpc.ackEvents(request, done),
  );
  assert(results.length === events.length, "one result an ack");
  for (const result of results) assert(result === AckResult.ACKED, "an ack was not taken");
}
