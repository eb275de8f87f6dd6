/**
 * The manager's shell: loads rows, runs every input through run-step, and answers the RPC layer. What a
 * restart must do again follows from rows: links bring monitors up to date from the stored updates and
 * preimage records and resend stored acks, the item feed replays un-handled items, streams repeat the newest completed.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { Tables } from "../manager/draft.js";
import type { Effect } from "../manager/effect.js";
import { META_KEY, rowKeys, type AckRow, type WatchRow } from "../manager/rows.js";
import { BumpBoard } from "./bump-board.js";
import type { ManagerDeps } from "./deps.js";
import { ItemFeed } from "./item-feed.js";
import { createLinkHost } from "./link-host.js";
import { loadTables } from "./load-tables.js";
import type { ManagerHost } from "./manager-host.js";
import { createNodeHost } from "./node-host.js";
import { Replays } from "./replays.js";
import { createRunStep } from "./run-step.js";
import { SlowClock } from "./slow-clock.js";
import { UpdateLog } from "./update-log.js";
import { UpdateStreams } from "./update-streams.js";

export interface RunningManager {
  readonly host: ManagerHost;
  readonly epoch: bigint;
  /** Starts the links. Call when everything else is ready. */
  start(): void;
  stop(): Promise<void>;
}

interface Outlets {
  readonly deps: ManagerDeps;
  readonly tables: Tables;
  readonly log: UpdateLog;
  readonly feed: ItemFeed;
  readonly streams: UpdateStreams;
  readonly watches: Map<ChannelId, WatchRow>;
  /** Ack intents that are on disk. */
  readonly committedAcks: WeakSet<AckRow>;
  /** Keys of preimage records that are on disk. */
  readonly committedPreimages: Set<string>;
}

/** Throws StoreFailure, or UnreadableRow when the stored rows are damaged or of a newer build. */
export async function createManagerHost(deps: ManagerDeps): Promise<RunningManager> {
  const { store } = deps;
  const stored = await store.load();
  const tables = loadTables(stored);
  const bumps = new BumpBoard(tables, () => deps.clock.nowMs());
  const feed = new ItemFeed(tables, bumps, tables.meta.get(META_KEY)?.nextItemId ?? 1n);
  const streams = new UpdateStreams(tables, (...what) => feed.mayComplete(...what));
  feed.onHandedOver = (channelId) => streams.release(channelId);
  const log = new UpdateLog(tables, store);
  const watches = new Map([...tables.watch.values()].map((row) => [row.channelId, row]));
  const committedAcks = new WeakSet(tables.ack.values());
  const committedPreimages = new Set([...tables.preimage.values()].map(rowKeys.preimage));
  const committed = { committedAcks, committedPreimages };
  const outlets = { deps, tables, log, feed, streams, watches, ...committed };
  const replays = new Replays(deps.links);
  const run = createRunStep(deps, tables, (effect) => runEffect(outlets, effect));
  const { epoch } = stored;
  const clock = new SlowClock(run, deps);
  warnOfMissingMonitors(deps, tables);
  return {
    host: createNodeHost({ deps, tables, run, log, feed, streams, replays, epoch }),
    epoch,
    start() {
      const linkHost = createLinkHost({ ...outlets, run, bumps, replays });
      for (const link of deps.links) link.start(linkHost);
      clock.start();
    },
    async stop() {
      await Promise.all([clock.stop(), ...deps.links.map((link) => link.stop())]);
      await store.close();
    },
  };
}

/** A channel that requires a monitor without a link can never complete an update again. */
function warnOfMissingMonitors({ links, log }: ManagerDeps, tables: Tables): void {
  const linked = new Set(links.map(({ monitorKey }) => monitorKey));
  for (const { channelId, requiredMonitors } of tables.channel.values()) {
    const missing = requiredMonitors.filter((monitorKey) => !linked.has(monitorKey));
    if (missing.length > 0) log.error("required monitor is not configured", { channelId, missing });
  }
}

/** Every effect is safe to repeat; none runs before the commit that caused it. */
function runEffect(outlets: Outlets, effect: Effect): void {
  const { deps, tables, log, feed, streams, watches, committedAcks } = outlets;
  switch (effect.kind) {
    case "sendWatch":
      watches.set(effect.watch.channelId, effect.watch);
      for (const link of deps.links) link.watch(effect.watch);
      return;
    case "sendUpdate":
      log.committed(effect.update);
      for (const link of deps.links) link.send([effect.update]);
      return;
    case "deliver":
      feed.committed(effect.item);
      return;
    case "accepted":
      streams.accepted(effect.nodeKey, effect.channelId, effect.updateId, effect.updateHash);
      return;
    case "completed":
      streams.completed(effect.nodeKey, effect.channelId, effect.completion);
      return;
    case "refused": {
      const { nodeKey, channelId, updateId, refusal } = effect;
      const expected = (tables.channel.get(channelId)?.acceptedId ?? 0n) + 1n;
      streams.refused(nodeKey, channelId, updateId, refusal, expected);
      return;
    }
    case "sendPreimage": {
      const { channel, record } = effect;
      outlets.committedPreimages.add(rowKeys.preimage(record));
      for (const link of deps.links) {
        if (channel.requiredMonitors.includes(link.monitorKey)) link.putPreimages([record]);
      }
      return;
    }
    case "sendAck": {
      const { ack } = effect;
      committedAcks.add(ack);
      deps.links.find(({ monitorKey }) => monitorKey === ack.monitorKey)?.ack([ack]);
      return;
    }
    default:
      assertNever(effect);
  }
}
