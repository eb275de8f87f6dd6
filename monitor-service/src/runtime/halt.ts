/**
 * A broken invariant stops one channel, never the others (architecture 3.7, "Bug"). Nothing of the
 * failed step is kept. A bug in an update stops updates: the state before it is sound, so blocks and
 * preimages go on. A bug in a block stops the channel and is recorded, because its view of the chain
 * then ends there.
 */
import { toHex } from "@farwatch/protocol/bytes";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { Core } from "./core.js";
import type { Draft } from "./draft.js";
import { causeOf } from "./error-cause.js";
import type { AnyEntry, Halt } from "./monitors.js";

const INCIDENT_BYTES = 8;

export const newIncident = (core: Core): string => toHex(core.deps.randomBytes(INCIDENT_BYTES));

export function haltChannel(
  core: Core,
  draft: Draft,
  entry: AnyEntry,
  scope: Halt["scope"],
  error: unknown,
): Refusal {
  const incident = newIncident(core);
  if (entry.halt === undefined || scope === "all") entry.halt = { scope, incident };
  if (scope === "all") {
    const { height } = entry.state.best;
    draft.write({ op: "putHalt", row: { channelNo: entry.channelNo, incident, height } });
  }
  const { channelId } = entry;
  core.deps.log.error({ incident, channelId, scope, cause: causeOf(error) }, "channel halted");
  return haltedRefusal(entry.halt.incident);
}

export const haltedRefusal = (incident: string): Refusal =>
  refuse("channelHalted", "the channel stopped on a broken invariant", { incident });
