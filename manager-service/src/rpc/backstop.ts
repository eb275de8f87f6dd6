/**
 * The last line of defence: whatever a handler throws becomes a refusal. Wrong wire input has its own
 * reason; anything else is a bug, told to the caller as INTERNAL with an incident id and to the log
 * with the place it came from.
 */
import { randomUUID } from "node:crypto";
import { WireError } from "@farwatch/protocol/convert/reader";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { errorFacts, type Log } from "../observe/log.js";

export function refusalOf(error: unknown, rpc: string, log: Log): Refusal {
  if (error instanceof WireError) return error.refusal;
  const incident = randomUUID();
  log.error("rpc failed", { incident, rpc, ...errorFacts(error) });
  return refuse("assertion", "internal error; the log names the incident", {
    incident_id: incident,
  });
}
