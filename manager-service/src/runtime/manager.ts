/**
 * The manager's shell: loads rows, runs every input through run-step, and answers the RPC layer. What a
 * restart must do again follows from rows: links bring monitors up to date from the stored updates and
 * resend stored acks, the item feed replays un-handled items, streams repeat the newest completed.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { DoneItem } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { PaymentId, Txid } from "@farwatch/protocol/ids";
import type { Effect } from "../manager/effect.js";
import type { DoneAnswer } from "../manager/input.js";
import { META_KEY, rowKeys, type Tables } from "../manager/rows.js";
import type { ManagerDeps } from "./deps.js";
import { ItemFeed } from "./item-feed.js";
import { paymentToWire } from "./item-to-wire.js";
import { createLinkHost } from "./link-host.js";
import { loadTables } from "./load-tables.js";
import type { ManagerHost, NodePrincipal } from "./manager-host.js";
import { expectedUpdateId, offerUpdate, offerWatch } from "./offers.js";
import { createRunStep, type RunStep } from "./run-step.js";
import { checkSession, openNodeSession } from "./sessions.js";
import { UpdateStreams } from "./update-streams.js";
import { channelView, monitorStatuses, pendingEvents } from "./views.js";

export interface RunningManager {
  readonly host: ManagerHost;
  readonly epoch: bigint;
  /** Starts the links. Call when everything else is ready. */
  start(): void;
  stop(): Promise<void>;
}

export async function createManagerHost(deps: ManagerDeps): Promise<RunningManager> {
  const stored = await deps.store.load();
  const tables = loadTables(stored);
  const feed = new ItemFeed(tables, tables.meta.get(META_KEY)?.nextItemId ?? 1n);
  const streams = new UpdateStreams(tables);
  const run = createRunStep(deps, tables, (effect) =>
    runEffect(deps, tables, feed, streams, effect),
  );
  const host = createHost(deps, tables, run, feed, streams, stored.epoch);
  return {
    host,
    epoch: stored.epoch,
    start() {
      const linkHost = createLinkHost(deps, tables, run);
      for (const link of deps.links) link.start(linkHost);
    },
    async stop() {
      await Promise.all(deps.links.map((link) => link.stop()));
      await deps.store.close();
    },
  };
}

/** Every effect is safe to repeat; none runs before the commit that caused it. */
function runEffect(
  deps: ManagerDeps,
  tables: Tables,
  feed: ItemFeed,
  streams: UpdateStreams,
  effect: Effect,
): void {
  switch (effect.kind) {
    case "sendWatch": {
      const row = tables.channel.get(effect.channelId);
      if (row === undefined) return;
      const { channelId, firstUpdateId, watchHash, watchHeader, watchPayload } = row;
      const watch = {
        channelId,
        firstUpdateId,
        watchHash,
        header: watchHeader,
        payload: watchPayload,
      };
      for (const link of deps.links) link.watch(watch);
      return;
    }
    case "sendUpdate":
      for (const link of deps.links) link.send([effect.update]);
      return;
    case "deliver":
      feed.committed(effect.item.itemId);
      return;
    case "accepted":
      streams.accepted(effect.nodeKey, effect);
      return;
    case "completed":
      streams.completed(effect);
      return;
    case "sendAck":
      deps.links.find(({ monitorKey }) => monitorKey === effect.ack.monitorKey)?.ack([effect.ack]);
      return;
    default:
      assertNever(effect);
  }
}

function createHost(
  deps: ManagerDeps,
  tables: Tables,
  run: RunStep,
  feed: ItemFeed,
  streams: UpdateStreams,
  epoch: bigint,
): ManagerHost {
  const own = (who: NodePrincipal, id: Parameters<ManagerHost["channel"]>[1]) => {
    const row = tables.channel.get(id);
    if (row === undefined) return err(refuse("channelUnknown", "no such channel"));
    return row.nodeKey === who.nodeKey
      ? ok(row)
      : err(refuse("notYourChannel", "another node watches this channel"));
  };
  return {
    openSession: (who, request) => openNodeSession(deps, tables, run, who, request),
    checkSession: (who, session) => checkSession(tables, who, session),
    async watchChannel(who, payload, firstUpdateId) {
      const offered = await offerWatch(deps, run, who, payload, firstUpdateId);
      if (!offered.ok) return offered;
      const row = own(who, offered.value);
      if (!row.ok) return row;
      const { acceptedId, headHash, completedId } = row.value;
      return ok({ acceptedId, headHash, completed: completedId !== undefined });
    },
    updateStream: (who, subscriber) => streams.open(who.nodeKey, subscriber),
    async update(who, request) {
      const { channelId, updateId } = request;
      const outcome = await offerUpdate(deps, tables, run, who, request);
      if (!outcome.ok) {
        const expected = expectedUpdateId(tables.channel.get(channelId));
        streams.refused(who.nodeKey, channelId, updateId, outcome.error, expected);
      } else if (outcome.value.kind === "replayed") {
        const { updateHash } = outcome.value;
        streams.accepted(who.nodeKey, { channelId, updateId, updateHash });
        streams.repeatCompleted(channelId);
      }
    },
    registerPayment(who, { isProbe, ...payment }) {
      if (isProbe) return Promise.resolve(err(refuse("unimplemented", "probes come later")));
      return run({ kind: "paymentRegistered", nodeKey: who.nodeKey, ...payment });
    },
    closePayment(who, paymentId, outcome) {
      const payment = tables.payment.get(paymentId);
      if (payment === undefined || payment.nodeKey !== who.nodeKey) {
        const field = { field: "payment_id" };
        return Promise.resolve(err(refuse("malformed", "no such payment of this node", field)));
      }
      const reason = outcome.kind === "abandon" ? outcome.reason : "no more parts";
      return run({ kind: "paymentClosed", paymentId, reason });
    },
    subscribe: (who, subscriber) => feed.subscribe(who.nodeKey, subscriber),
    done: (who, items) => done(tables, run, who, items),
    async channel(who, id) {
      const row = own(who, id);
      return row.ok ? ok(await channelView(tables, deps.links, row.value)) : row;
    },
    channels(who, after, limit) {
      const ids = tables.channel.keys("node", who.nodeKey).filter((id) => id > (after ?? ""));
      const rows = [...ids]
        .sort()
        .slice(0, limit)
        .flatMap((id) => tables.channel.get(id) ?? []);
      return Promise.all(rows.map((row) => channelView(tables, deps.links, row)));
    },
    payments: (who, after, limit) => payments(tables, who, after, limit),
    pendingEvents: (who) => pendingEvents(tables, deps.links, who.nodeKey),
    monitors: () => monitorStatuses(tables, deps.links),
    async forceClose(who, { channelId, reason, overrideStale }) {
      const row = own(who, channelId);
      if (!row.ok) return row;
      const answers = await Promise.all(
        deps.links.map((link) => link.broadcastHolder(channelId, reason, overrideStale)),
      );
      return anyAnswer(answers);
    },
    info: () => ({
      managerKey: deps.managerKey,
      epoch,
      curveBackend: deps.curve.backend,
      channels: tables.channel.size,
      unhandledItems: [...tables.item.values()].filter(({ handled }) => !handled).length,
      pendingAcks: tables.ack.size,
    }),
  };
}

/** One monitor that broadcasts is enough; only when all refuse is it a refusal. */
function anyAnswer(answers: readonly Result<Txid, Refusal>[]): Result<readonly Txid[], Refusal> {
  const txids = answers.flatMap((answer) => (answer.ok ? [answer.value] : []));
  const [refused] = answers.flatMap((answer) => (answer.ok ? [] : [answer.error]));
  return txids.length === 0 && refused !== undefined ? err(refused) : ok([...new Set(txids)]);
}

function payments(
  tables: Tables,
  who: NodePrincipal,
  after: PaymentId | undefined,
  limit: number,
): ReturnType<ManagerHost["payments"]> {
  const rows = [...tables.payment.values()]
    .filter((row) => row.nodeKey === who.nodeKey && row.paymentId > (after ?? ""))
    .sort((a, b) => (a.paymentId < b.paymentId ? -1 : 1))
    .slice(0, limit);
  return rows.map((row) =>
    paymentToWire(
      row,
      tables.part.keys("payment", row.paymentId).flatMap((key) => tables.part.get(key) ?? []),
    ),
  );
}

async function done(
  tables: Tables,
  run: RunStep,
  who: NodePrincipal,
  items: readonly DoneItem[],
): Promise<Result<readonly bigint[], Refusal>> {
  const known = ({ itemId }: DoneItem): boolean =>
    tables.item.get(rowKeys.item(itemId))?.nodeKey === who.nodeKey;
  const answers = items.filter(known).map(({ itemId, answer }) => ({
    itemId,
    answer: readAnswer(answer),
  }));
  const stored = await run({ kind: "itemsDone", nodeKey: who.nodeKey, items: answers });
  return stored.ok ? ok(items.filter((item) => !known(item)).map(({ itemId }) => itemId)) : stored;
}

function readAnswer(answer: DoneItem["answer"]): DoneAnswer {
  switch (answer?.$case) {
    case "retrying":
      return { kind: "retrying" };
    case "abandon":
      return { kind: "abandon", reason: answer.value.reason };
    case "handled":
    case "commandResult":
    case undefined:
      return { kind: "handled" };
  }
}
