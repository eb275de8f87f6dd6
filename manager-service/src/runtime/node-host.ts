/** The ManagerHost that the RPC layer sees: requests become inputs, rows become answers. */
import type { ChannelId, Txid } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { ALL, type Tables } from "../manager/draft.js";
import { rowKeys, type ChannelRow } from "../manager/rows.js";
import type { ManagerDeps } from "./deps.js";
import { precedesCompleted, type ItemFeed } from "./item-feed.js";
import { namesOfMonitor } from "./ldk-bytes.js";
import { ldkMonitor } from "./ldk-monitor.js";
import type { ManagerHost, NodePrincipal } from "./manager-host.js";
import { offerUpdate, offerWatch } from "./offers.js";
import type { Replays } from "./replays.js";
import type { RunStep } from "./run-step.js";
import { checkSession, openNodeSession, replacedBy } from "./sessions.js";
import { signBump } from "./sign-bump.js";
import type { UpdateLog } from "./update-log.js";
import type { UpdateStreams } from "./update-streams.js";
import {
  channelView,
  forwardViews,
  monitorStatuses,
  paymentViews,
  oldestPendingEvent,
  pendingEvents,
} from "./views.js";

export interface HostParts {
  readonly deps: ManagerDeps;
  readonly tables: Tables;
  readonly run: RunStep;
  readonly log: UpdateLog;
  readonly feed: ItemFeed;
  readonly streams: UpdateStreams;
  readonly replays: Replays;
  readonly epoch: bigint;
}

export const createNodeHost = (parts: HostParts): ManagerHost => ({
  ...sessionCalls(parts),
  ...channelCalls(parts),
  ...ldkCalls(parts),
  ...paymentCalls(parts),
  ...bumpCalls(parts),
  ...readCalls(parts),
});

/**
 * Rows in memory may be ahead of the disk. An answer made of them leaves only when everything decided
 * before it was made is durable.
 */
async function durably<T>({ store }: ManagerDeps, answer: T): Promise<T> {
  await store.transact([]);
  return answer;
}

function sessionCalls({ deps, tables, run, feed, streams }: HostParts) {
  return {
    async openSession(who, request) {
      const before = tables.session.get(who.nodeKey)?.sessionId;
      const opened = await openNodeSession(deps, tables, run, who, request);
      const now = tables.session.get(who.nodeKey);
      if (opened.ok && now !== undefined && now.sessionId !== before) {
        streams.end(who.nodeKey, replacedBy(now.nodeEpoch));
        feed.end(who.nodeKey, replacedBy(now.nodeEpoch));
      }
      return opened;
    },
    checkSession: (who, session) => checkSession(tables, who, session),
    updateStream: (who, subscriber) => streams.open(who.nodeKey, subscriber),
    subscribe: (who, subscriber) => feed.subscribe(who.nodeKey, subscriber),
    async done(who, items) {
      const { nodeKey } = who;
      const rowOf = (itemId: bigint) => tables.item.get(rowKeys.item(itemId));
      const ids = items.map(({ itemId }) => itemId);
      const unknown = ids.filter((itemId) => rowOf(itemId)?.nodeKey !== nodeKey);
      const stored = await run({ kind: "itemsDone", nodeKey, items });
      if (!stored.ok) return stored;
      for (const itemId of ids) {
        const event = rowOf(itemId)?.event;
        if (event !== undefined && precedesCompleted(event)) streams.release(event.channelId);
      }
      return ok(unknown);
    },
  } satisfies Partial<ManagerHost>;
}

function ownChannel(
  tables: Tables,
  who: NodePrincipal,
  channelId: ChannelId,
): Result<ChannelRow, Refusal> {
  const row = tables.channel.get(channelId);
  const details = { channel_id: channelId };
  if (row === undefined) return err(refuse("channelUnknown", "no such channel", details));
  if (row.nodeKey === who.nodeKey) return ok(row);
  return err(refuse("notYourChannel", "another node's channel", details));
}

function channelCalls({ deps, tables, run, log, streams }: HostParts) {
  return {
    async watchChannel(who, first, firstUpdateId) {
      const offered = await offerWatch(deps, run, who, first, firstUpdateId);
      if (!offered.ok) return offered;
      const row = ownChannel(tables, who, offered.value);
      if (!row.ok) return row;
      const { acceptedId, headHash, completed } = row.value;
      return durably(deps, ok({ acceptedId, headHash, completed: completed !== undefined }));
    },
    async update(who, request) {
      const { channelId, updateId } = request;
      const offered = await offerUpdate(tables, log, run, who, request);
      const row = tables.channel.get(channelId);
      if (offered.ok) {
        const told = row?.completed;
        // A repeated update that was complete long ago: say so again.
        if (told !== undefined && updateId <= told.updateId) streams.repeatCompleted(channelId);
        return;
      }
      const expected = row?.nodeKey === who.nodeKey ? row.acceptedId + 1n : 0n;
      streams.refused(who.nodeKey, channelId, updateId, offered.error, expected);
    },
    async forceClose(who, { channelId, reason, overrideStale }) {
      const row = ownChannel(tables, who, channelId);
      if (!row.ok) return row;
      const answers = await Promise.all(
        deps.links.map((link) => link.broadcastHolder(channelId, reason, overrideStale)),
      );
      return anyAnswer(answers);
    },
    async channel(who, id) {
      const row = ownChannel(tables, who, id);
      if (!row.ok) return row;
      const [view] = await Promise.all([
        channelView(tables, deps.links, row.value),
        deps.store.transact([]),
      ]);
      return ok(view);
    },
    async channels(who, after, limit) {
      const rows = tables.channel
        .select("node", who.nodeKey)
        .filter(({ channelId }) => after === undefined || channelId > after)
        .slice(0, limit);
      const views = rows.map((row) => channelView(tables, deps.links, row));
      const [found] = await Promise.all([Promise.all(views), deps.store.transact([])]);
      return found;
    },
  } satisfies Partial<ManagerHost>;
}

function ldkCalls({ deps, tables, run, log }: HostParts) {
  return {
    async ldkMonitor(who, channelId, told) {
      const row = ownChannel(tables, who, channelId);
      if (!row.ok) return row;
      return durably(deps, await ldkMonitor({ tables, log, store: deps.store }, row.value, told));
    },
    async putLdkCheckpoint({ nodeKey }, checkpoint) {
      const named = namesOfMonitor(checkpoint.monitor);
      if (!named.ok) return named;
      const { channelId, updateId } = checkpoint;
      const monitor = Uint8Array.from(checkpoint.monitor);
      const offer = { channelId, updateId, monitor, named: named.value };
      return run({ kind: "checkpointOffered", nodeKey, ...offer });
    },
  } satisfies Partial<ManagerHost>;
}

/** One monitor that broadcasts is enough; only when all refuse is it a refusal. */
function anyAnswer(answers: readonly Result<Txid, Refusal>[]): Result<readonly Txid[], Refusal> {
  const txids = answers.flatMap((answer) => (answer.ok ? [answer.value] : []));
  const [refused] = answers.flatMap((answer) => (answer.ok ? [] : [answer.error]));
  return txids.length === 0 && refused !== undefined ? err(refused) : ok([...new Set(txids)]);
}

function paymentCalls({ run }: HostParts) {
  return {
    registerPayment: ({ nodeKey }, payment) =>
      run({ kind: "paymentRegistered", nodeKey, ...payment }),
    closePayment({ nodeKey }, paymentId, outcome) {
      const reason = outcome.kind === "abandon" ? outcome.reason : "no more parts";
      return run({ kind: "paymentClosed", nodeKey, paymentId, reason });
    },
    claimPayment: ({ nodeKey }, request) => run({ kind: "claimRequested", nodeKey, ...request }),
    htlcFulfilled: ({ nodeKey }, request) => run({ kind: "htlcFulfilled", nodeKey, ...request }),
    htlcNotSent: ({ nodeKey }, request) => run({ kind: "htlcNotSent", nodeKey, ...request }),
  } satisfies Partial<ManagerHost>;
}

function bumpCalls({ deps, tables }: HostParts) {
  return {
    async signBump(who, monitor, answer) {
      const row = ownChannel(tables, who, answer.channelId);
      return row.ok ? signBump(deps.links, row.value, monitor, answer) : row;
    },
  } satisfies Partial<ManagerHost>;
}

function readCalls({ deps, tables, replays, epoch }: HostParts) {
  return {
    payments: (who, after, limit) => durably(deps, paymentViews(tables, who.nodeKey, after, limit)),
    forwards: (who, after, limit) => durably(deps, forwardViews(tables, who.nodeKey, after, limit)),
    pendingEvents: (who) => durably(deps, pendingEvents(tables, deps.links, who.nodeKey)),
    monitors: () => durably(deps, monitorStatuses(tables, deps.links, replays)),
    info: () =>
      durably(deps, {
        managerKey: deps.managerKey,
        epoch,
        curveBackend: deps.curve.backend,
        channels: tables.channel.size,
        unhandledItems: tables.item.count("open", ALL),
        pendingAcks: tables.ack.size,
        pendingEvents: tables.inbox.size,
        oldestPendingEventAtMs: oldestPendingEvent(tables),
        replayDone: replays.isComplete,
      }),
  } satisfies Partial<ManagerHost>;
}
