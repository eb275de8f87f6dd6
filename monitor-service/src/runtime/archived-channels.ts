/**
 * What may be looked at of the archive: read from disk when somebody asks. Lists mix archived channels
 * with the others in channel id order.
 */
import { blockHeight } from "@farwatch/protocol/block";
import type { ChannelId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { must } from "@farwatch/protocol/assert";
import { decodeState } from "../monitor/codec.js";
import { penaltyStateIn } from "../monitor/penalty/codec.js";
import type { ArchivedChannel } from "./archive.js";
import { anyViewOf, findAny } from "./channel-views.js";
import type { Core } from "./core.js";
import { causeOf } from "./error-cause.js";
import { ownOutputs } from "./own-outputs.js";
import type { AnyView, ChannelPage, ChannelQuery, Principal } from "./monitor-host.js";

/** Errors: channelUnknown, notYourChannel, storedStateUnreadable. */
export async function viewAny(
  core: Core,
  who: Principal,
  channelId: ChannelId,
): Promise<Result<AnyView, Refusal>> {
  const archived = core.archive.get(channelId);
  if (archived?.row.managerKey === who.managerKey) return viewArchived(core, archived);
  const found = findAny(core, who, channelId);
  return found.ok ? ok(anyViewOf(core, found.value)) : found;
}

async function viewArchived(
  core: Core,
  { row, leaving }: ArchivedChannel,
): Promise<Result<AnyView, Refusal>> {
  if (leaving !== undefined) return ok(anyViewOf(core, leaving));
  const snapshot = await core.deps.store.readSnapshot(row.channelNo);
  try {
    const { bytes } = must(snapshot, "an archived channel has a snapshot");
    const penalty = penaltyStateIn(bytes);
    const archivedAt = blockHeight(row.height);
    const archival = { kind: "due" } as const;
    const common = { halted: false, archivedAt, archival, pendingEventIds: [] };
    if (penalty !== undefined) return ok({ ...common, penalty });
    const state = decodeState(bytes);
    const own = ownOutputs(core, state);
    return ok({ ...common, state, openClaims: [], openBumps: [], ownOutputs: own });
  } catch (error) {
    const { channelId } = row;
    core.deps.log.error({ channelId, cause: causeOf(error) }, "archived channel unreadable");
    const details = { channel_id: channelId };
    return err(refuse("storedStateUnreadable", "the stored channel cannot be read", details));
  }
}

/** Unreadable channels are left out: asking for one by its id says so. */
export async function listChannels(
  core: Core,
  who: Principal,
  { filter, after, limit }: ChannelQuery,
): Promise<ChannelPage> {
  const { managerKey } = who;
  const live = filter === "archived" ? [] : core.monitors.ofManager(managerKey, after, limit);
  const archived = filter === "live" ? [] : core.archive.ofManager(managerKey, after, limit);
  const ids = [
    ...live.map(({ channelId }) => channelId),
    ...archived.map(({ row }) => row.channelId),
  ].sort();
  const page = ids.slice(0, limit);
  const views: AnyView[] = [];
  for (const id of page) {
    const view = await viewAny(core, who, id);
    if (view.ok) views.push(view.value);
  }
  return { views, nextAfter: page.length === limit ? page.at(-1) : undefined };
}
