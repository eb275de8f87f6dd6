/**
 * Moves a channel to the archive once monitor/archival.ts says that it is due. The move is durable before
 * anybody sees it; a halted channel stays where it is until a person has looked.
 */
import { archivalOf, mayBeResolved, reappeared } from "../monitor/archival.js";
import type { MonitorState } from "../monitor/state.js";
import { applyInput } from "./apply-input.js";
import type { Core } from "./core.js";
import type { Draft } from "./draft.js";
import type { AnyEntry, ChannelEntry } from "./monitors.js";
import { watermarkOf } from "./receipts.js";

/** After a block: starts or ends the delay, and moves the channel when the delay is over. */
export function archiveWhenDue(core: Core, draft: Draft, entry: ChannelEntry): void {
  if (entry.halt !== undefined || !mayBeResolved(entry.state)) return;
  const unackedEvents = entry.pending.size > 0;
  const before = entry.state;
  const input = { kind: "resolutionChecked" as const, unackedEvents };
  if (!applyInput(core, draft, entry, input, undefined).ok) return;
  tellIfReappeared(core, entry, before);
  if (archivalOf(entry.state, unackedEvents).kind === "due") moveToArchive(core, draft, entry);
}

export function tellIfReappeared(core: Core, entry: ChannelEntry, before: MonitorState): void {
  if (!reappeared(before, entry.state)) return;
  const { channelId, state } = entry;
  const { resolvedSince } = before;
  const facts = { channelId, resolvedSince, height: state.best.height };
  core.deps.log.error(facts, "a resolved channel has balances again");
}

export function moveToArchive(core: Core, draft: Draft, entry: AnyEntry): void {
  const { channelNo, channelId, managerKey, watchHash, headRowId, state } = entry;
  const { latestUpdateId, latestUpdateHash } = state;
  const { height } = state.best;
  const row = { channelNo, height, headRowId, latestUpdateId, latestUpdateHash };
  draft.archive(entry, row);
  core.monitors.remove(entry);
  const lastEventId = watermarkOf(state);
  core.archive.add({ ...row, channelId, managerKey, watchHash, lastEventId }, entry);
  const txids =
    "spend" in state ? [state.spend?.txid] : state.seen.map(({ commitmentTxid }) => commitmentTxid);
  core.deps.log.info({ channelId, height, txid: txids.at(-1) }, "channel archived");
}
