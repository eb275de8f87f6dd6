/** AckEvents: events the manager is done with, deleted for ever before the answer. */
import { AckResult as WireAckResult } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type {
  AckEventsRequest,
  AckEventsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ok } from "@farwatch/protocol/result";
import type { AckResult } from "../runtime/monitor-host.js";
import type { Run } from "./call.js";

const RESULTS: Readonly<Record<AckResult, WireAckResult>> = {
  acked: WireAckResult.ACKED,
  alreadyAcked: WireAckResult.ALREADY_ACKED,
  unknown: WireAckResult.UNKNOWN,
  hashMismatch: WireAckResult.HASH_MISMATCH,
  kept: WireAckResult.KEPT,
};

export const ackEvents: Run<AckEventsRequest, AckEventsResponse> = async (
  { host, who },
  { header, signature, acks },
) => {
  const batch = { header, signature, acks: acks.map((ack) => ack.header) };
  const acked = await host.ackEvents(who, batch);
  return acked.ok ? ok({ results: acked.value.map((result) => RESULTS[result]) }) : acked;
};
