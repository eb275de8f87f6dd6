/** The sentences that say which side is behind, on which channel, and by how much. */
import type { BehindGoal, ChannelRow } from "../rows.js";
import type { Compared, Comparison, MonitorCursors } from "./cursors.js";

const count = (number: bigint, what: string): string =>
  `${number} ${what}${number === 1n ? "" : "s"}`;
export const countUpdates = (number: bigint): string => count(number, "update");
export const countEvents = (number: bigint): string => count(number, "event");

/** Of two monitors that are ahead of us the one that is further. */
export function ahead(
  one: BehindGoal | undefined,
  other: BehindGoal | undefined,
): BehindGoal | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.updateId >= other.updateId ? one : other;
}

export function describeManager(
  { channelId, acceptedId }: ChannelRow,
  { monitorName }: Compared,
  { updateId }: MonitorCursors,
  missingEvents: bigint,
): string {
  const lacks = updateId > acceptedId ? updateId - acceptedId : 0n;
  const parts = [
    `this manager's database is an older copy: on channel ${channelId} the manager is behind ` +
      `monitor ${monitorName}`,
  ];
  if (lacks > 0n) {
    parts.push(` by ${countUpdates(lacks)} (it holds ${acceptedId}, the monitor ${updateId})`);
  }
  if (missingEvents > 0n) {
    parts.push(
      `${lacks > 0n ? " and" : ""} by ${countEvents(missingEvents)} that a newer copy acked`,
    );
  }
  parts.push(
    lacks > 0n
      ? `. No update is accepted until the node has sent these again; if it cannot, close the channel.`
      : `. No update is accepted until this alarm is handled; what those events told is in the node only.`,
  );
  return parts.join("");
}

export function describeMonitor(
  { monitorName, channelId, told }: Compared,
  { updateId, nextEventId }: MonitorCursors,
  { monitorLacksUpdates, monitorLacksEvents }: Comparison,
): string {
  const parts: string[] = [];
  if (monitorLacksUpdates > 0n) {
    parts.push(
      `${countUpdates(monitorLacksUpdates)} (it holds ${updateId} and had confirmed ${told.updateId ?? 0n})`,
    );
  }
  if (monitorLacksEvents > 0n) {
    parts.push(
      `${countEvents(monitorLacksEvents)} (its newest is ${nextEventId - 1n} and it had told ${told.recordedEventId})`,
    );
  }
  return (
    `the store of monitor ${monitorName} is an older copy: on channel ${channelId} the monitor is ` +
    `behind by ${parts.join(" and ")}. It is sent what it lacks.`
  );
}
