/**
 * A manager whose database is older than a monitor (channel-compared.ts) accepts an update only where that
 * cannot fork the channel: the node named, when it opened its session, at least the update that the monitor
 * has, so it sends again what was accepted before. The stored form of an update follows from its bytes and
 * place, so the same bytes give the same hashes; at the monitor's id they must meet its hash.
 */
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { UpdateId } from "@farwatch/protocol/ids";
import type { ManagerView } from "../draft.js";
import type { BehindMonitor, ChannelRow, SessionRow, UpdateRow } from "../rows.js";
import type { Work } from "../work.js";
import { countEvents, countUpdates } from "./which-side.js";

/** The newest update of the channel that anyone is known to hold: ours, or a monitor's. */
export function newestKnown({ acceptedId, behindMonitor }: ChannelRow): UpdateId {
  const goal = behindMonitor?.goal?.updateId ?? acceptedId;
  return goal > acceptedId ? goal : acceptedId;
}

/** Why the channel's next update may not be accepted; undefined: nothing here stands against it. */
export function refuseWhileBehind(work: Work, channel: ChannelRow): Refusal | undefined {
  const { behindMonitor, channelId, nodeKey, acceptedId } = channel;
  if (behindMonitor === undefined) return undefined;
  const { monitorName, goal, missingEvents } = behindMonitor;
  const details = { channel_id: channelId, monitor: monitorName };
  if (goal !== undefined) {
    if (hasUpTo(work.draft.session.get(nodeKey), channel) >= goal.updateId) return undefined;
    const by = goal.updateId - acceptedId;
    const text =
      `this manager is ${countUpdates(by)} behind monitor ${monitorName}; a node that has them opens a ` +
      `session naming its newest update and sends them again`;
    return refuse("managerBehind", text, { ...details, by: String(by) });
  }
  if (!isAlarmOpen(work.draft, behindMonitor, nodeKey)) return undefined;
  const text = `this manager lacks ${countEvents(missingEvents)} of monitor ${monitorName}; handle the alarm first`;
  return refuse("managerBehind", text, { ...details, events: String(missingEvents) });
}

const hasUpTo = (session: SessionRow | undefined, { channelId }: ChannelRow): bigint =>
  session?.ahead?.[channelId] ?? 0n;

const isAlarmOpen = (
  view: Pick<ManagerView, "item">,
  { alarmKey }: BehindMonitor,
  nodeKey: string,
): boolean =>
  view.item.select("semantic", alarmKey).some((item) => item.nodeKey === nodeKey && !item.handled);

/** The node sent another update than the one the monitor has under this id. */
export const meetsAnotherHash = (
  { behindMonitor }: ChannelRow,
  { updateId, updateHash }: UpdateRow,
): boolean =>
  behindMonitor?.goal?.updateId === updateId && behindMonitor.goal.updateHash !== updateHash;

/** behindMonitor once `updateId` is accepted. */
export function afterAccepting(
  { behindMonitor }: ChannelRow,
  updateId: UpdateId,
): BehindMonitor | undefined {
  const goal = behindMonitor?.goal;
  if (behindMonitor === undefined || goal === undefined || updateId < goal.updateId) {
    return behindMonitor;
  }
  return behindMonitor.missingEvents === 0n ? undefined : { ...behindMonitor, goal: undefined };
}

/** True while updates are refused because of it. */
export const isBehindMonitor = (
  view: Pick<ManagerView, "item">,
  { behindMonitor, nodeKey }: ChannelRow,
): boolean =>
  behindMonitor !== undefined &&
  (behindMonitor.goal !== undefined || isAlarmOpen(view, behindMonitor, nodeKey));
