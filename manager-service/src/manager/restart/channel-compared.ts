/**
 * At each connect, before anything else is exchanged on a channel: which side is behind, by how much, and
 * what follows (persistent-events R61, D4; ADR G-04). Nothing is read out of a monitor's
 * HTLC sets: what was lost comes back as updates and events, or a person is told that it does not.
 *
 * | found | follows |
 * |---|---|
 * | the monitor only lags | it is sent what it lacks |
 * | its store lost what it had told durable | the same and preimages, with an alarm; event ids may be used again |
 * | it has updates that we do not | no update is accepted until the node sent those again (catch-up.ts) |
 * | it forgot events that we never recorded | no update is accepted until the alarm is handled |
 * | another update under one id, or other commitments after it | the channel is frozen |
 * | it halted the channel | an alarm: what it refuses then freezes the channel |
 */
import { eventId, type ChannelId, type StoreId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { META_KEY, rowKeys, type ChannelRow, type ReceiptRow } from "../rows.js";
import { semanticKeys } from "../user-event.js";
import { receiptRow } from "../updates/receipts.js";
import { alarm, changeChannel, channelOf, metaOf, type Work } from "../work.js";
import {
  compareCursors,
  type Compared,
  type Comparison,
  type MonitorCursors,
  type ToldByStore,
} from "./cursors.js";
import { ahead, countUpdates, describeManager, describeMonitor } from "./which-side.js";

/** An older copy would name its next items like those a newer copy told: it goes on far above them. */
export const ITEM_ID_LEAP = 1n << 32n;

/** What this store had told us so far. */
export function toldBy(receipt: ReceiptRow | undefined, store: StoreId): ToldByStore {
  if (receipt?.storeId !== store) return { updateId: undefined, recordedEventId: eventId(0) };
  return { updateId: receipt.updateId, recordedEventId: receipt.recordedEventId };
}

/** What is returned, nothing may be sent to this monitor on this channel; what was found is stored. */
export function channelCompared(work: Work, compared: Compared): Refusal | undefined {
  const channel = work.draft.channel.get(compared.channelId);
  if (channel === undefined) return undefined;
  const { theirs } = compared;
  if (theirs === undefined) {
    noLongerWatched(work, channel, compared);
    return undefined;
  }
  if (theirs.halted) tellHalted(work, channel, compared, theirs);
  const comparison = compare(work, channel, compared, theirs);
  if (comparison.isFork) return forked(work, channel, compared, theirs);
  if (comparison.numbersDiffer) return otherCommitments(work, channel, compared, theirs);
  monitorIsBehind(work, channel, compared, theirs, comparison);
  return managerIsBehind(work, channel, compared, theirs, comparison);
}

function compare(
  work: Work,
  channel: ChannelRow,
  { monitorKey, storeId, hashAtTheirs, told }: Compared,
  theirs: MonitorCursors,
): Comparison {
  const { acceptedId, holderNumber, counterparty, channelId } = channel;
  const row = work.draft.receipt.get(rowKeys.receipt(monitorKey, channelId));
  const own = {
    acceptedId,
    hashAtTheirs,
    holderNumber: BigInt(holderNumber),
    counterpartyNumber: BigInt(counterparty.number),
    told,
    recordedEventId: toldBy(row, storeId).recordedEventId,
    knowsEvents: row === undefined || row.storeId === storeId,
  };
  return compareCursors(own, theirs);
}

const EMPTY: Pick<ReceiptRow, "updateId" | "updateHash"> = {
  updateId: undefined,
  updateHash: undefined,
};

function noLongerWatched(work: Work, channel: ChannelRow, compared: Compared): void {
  const { monitorKey, monitorName, storeId, channelId, told } = compared;
  if (told.updateId === undefined) return;
  const lost = countUpdates(told.updateId - channel.firstUpdateId + 2n);
  const text =
    `monitor ${monitorName} no longer knows channel ${channelId}, although it had confirmed it up to ` +
    `update ${told.updateId}: its store is an older copy, ${lost} behind (its first state counted). ` +
    `Everything is sent to it again.`;
  const about = `${monitorName}/${channelId}/none/${told.updateId}`;
  alarm(work, channel.nodeKey, "monitorBehind", about, text, channelId);
  const none = eventId(0);
  const row = receiptRow(work, monitorKey, storeId, channelId);
  const reset = { ...row, ...EMPTY, watermark: none, recordedEventId: none, proof: undefined };
  work.draft.receipt.put(rowKeys.receipt(monitorKey, channelId), reset);
  sendPreimagesAgain(work, channel, compared);
}

/** What an older copy of the store had said of records may be lost with the rest. */
function sendPreimagesAgain(work: Work, channel: ChannelRow, { monitorKey }: Compared): void {
  for (const row of work.draft.preimage.select("channel", channel.channelId)) {
    const durableOn = row.durableOn.filter((entry) => entry.monitorKey !== monitorKey);
    const record = { ...row, durableOn };
    work.draft.preimage.put(rowKeys.preimage(row), record);
    work.effects.push({ kind: "sendPreimage", channel, record });
  }
}

/** Nothing is lost: we hold every update, and the chain and those updates give its events again. */
function monitorIsBehind(
  work: Work,
  channel: ChannelRow,
  compared: Compared,
  theirs: MonitorCursors,
  comparison: Comparison,
): void {
  if (comparison.monitorLacksUpdates + comparison.monitorLacksEvents === 0n) return;
  const { monitorKey, monitorName, storeId, channelId, told } = compared;
  const { updateId, updateHash } = theirs;
  const last = eventId(theirs.nextEventId - 1n);
  const text = describeMonitor(compared, theirs, comparison);
  const about = `${monitorName}/${channelId}/${updateId}/${told.updateId ?? "none"}/${last}`;
  alarm(work, channel.nodeKey, "monitorBehind", about, text, channelId);
  const row = receiptRow(work, monitorKey, storeId, channelId);
  const watermark = row.watermark < last ? row.watermark : last;
  const recordedEventId = row.recordedEventId < last ? row.recordedEventId : last;
  const reset = { ...row, updateId, updateHash, watermark, recordedEventId, proof: undefined };
  work.draft.receipt.put(rowKeys.receipt(monitorKey, channelId), reset);
  sendPreimagesAgain(work, channel, compared);
}

function managerIsBehind(
  work: Work,
  channel: ChannelRow,
  compared: Compared,
  theirs: MonitorCursors,
  { managerLacksUpdates, managerLacksEvents }: Comparison,
): Refusal | undefined {
  if (managerLacksUpdates + managerLacksEvents === 0n) return undefined;
  const { monitorName, channelId } = compared;
  const { updateId, updateHash, nextEventId } = theirs;
  const text = describeManager(channel, compared, theirs, managerLacksEvents);
  const about = `${monitorName}/${channelId}/${updateId}/${nextEventId - 1n}`;
  const known = channel.behindMonitor;
  const goal = managerLacksUpdates > 0n ? { updateId, updateHash } : undefined;
  if (known === undefined) leapItemIds(work);
  alarm(work, channel.nodeKey, "managerBehind", about, text, channelId);
  const missed = known?.missingEvents ?? 0n;
  if (managerLacksEvents > 0n) waitForNoneOf(work, compared, theirs);
  changeChannel(work, channelId, {
    behindMonitor: {
      monitorName,
      goal: ahead(goal, known?.goal),
      missingEvents: missed > managerLacksEvents ? missed : managerLacksEvents,
      alarmKey: semanticKeys.alarm("managerBehind", about),
    },
  });
  return goal === undefined
    ? undefined
    : refuse("managerBehind", text, detailsOf(compared, theirs));
}

/** Completions follow the events up to a watermark; those that were acked elsewhere cannot be waited for. */
function waitForNoneOf(work: Work, compared: Compared, theirs: MonitorCursors): void {
  const { monitorKey, storeId, channelId } = compared;
  const row = receiptRow(work, monitorKey, storeId, channelId);
  const upTo = eventId(theirs.nextEventId - 1n);
  const coming = theirs.unackedEventIds.filter((id) => id > row.recordedEventId);
  const after = coming.reduce((high, id) => (id > high ? id : high), row.recordedEventId);
  const recordedEventId = coming.length === 0 ? upTo : row.recordedEventId;
  const noted = { ...row, recordedEventId, ackedElsewhere: { after, upTo } };
  work.draft.receipt.put(rowKeys.receipt(monitorKey, channelId), noted);
  work.touched.add(channelId);
}

function leapItemIds(work: Work): void {
  const meta = metaOf(work);
  work.draft.meta.put(META_KEY, { ...meta, nextItemId: meta.nextItemId + ITEM_ID_LEAP });
}

function forked(
  work: Work,
  channel: ChannelRow,
  compared: Compared,
  theirs: MonitorCursors,
): Refusal {
  const { monitorName, channelId, hashAtTheirs } = compared;
  const text =
    `monitor ${monitorName} and this manager hold different updates ${theirs.updateId} of channel ` +
    `${channelId}: two histories exist, neither side is just behind. The channel is frozen.`;
  return freeze(work, channel, text, `${monitorName}/${channelId}/${theirs.updateId}`, {
    ...detailsOf(compared, theirs),
    monitor_hash: theirs.updateHash,
    own_hash: hashAtTheirs ?? "none",
  });
}

function otherCommitments(
  work: Work,
  channel: ChannelRow,
  compared: Compared,
  theirs: MonitorCursors,
): Refusal {
  const { monitorName, channelId } = compared;
  const own = `${channel.holderNumber} of ours and ${channel.counterparty.number} of the counterparty`;
  const text =
    `after the same update ${theirs.updateId} of channel ${channelId} monitor ${monitorName} is at ` +
    `commitments ${theirs.holderNumber} of ours and ${theirs.counterpartyNumber} of the counterparty, ` +
    `this manager at ${own}: one of the two is damaged. The channel is frozen.`;
  const about = `${monitorName}/${channelId}/${theirs.updateId}/commitments`;
  return freeze(work, channel, text, about, detailsOf(compared, theirs));
}

function freeze(
  work: Work,
  { channelId, nodeKey, frozen }: ChannelRow,
  text: string,
  about: string,
  details: Readonly<Record<string, string>>,
): Refusal {
  alarm(work, nodeKey, "updateConflict", about, text, channelId);
  if (frozen === undefined) changeChannel(work, channelId, { frozen: text });
  return refuse("updateConflict", text, { ...details, own_update_id: ownId(work, channelId) });
}

const ownId = (work: Work, id: ChannelId): string => String(channelOf(work, id).acceptedId);

/** It sees no block and takes no update: nothing of the channel is protected there. */
function tellHalted(
  work: Work,
  { nodeKey, channelId }: ChannelRow,
  { monitorName }: Compared,
  { updateId }: MonitorCursors,
): void {
  const text =
    `monitor ${monitorName} has halted channel ${channelId} at update ${updateId}: it takes no more ` +
    `updates and may see no blocks until a person has acted there`;
  alarm(work, nodeKey, "channelHalted", `${monitorName}/${channelId}/${updateId}`, text, channelId);
}

const detailsOf = (
  { monitorName, channelId }: Compared,
  { updateId }: MonitorCursors,
): Readonly<Record<string, string>> => ({
  monitor: monitorName,
  channel_id: channelId,
  monitor_update_id: String(updateId),
});
