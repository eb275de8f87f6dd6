/** What links ask for and report: the manager's committed rows, and inputs for the step. */
import { must } from "@farwatch/protocol/assert";
import { claimIdOf } from "@farwatch/protocol/bump";
import type { ChannelId, MonitorKey, StoreId } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Tables } from "../manager/draft.js";
import type { ManagerInput } from "../manager/input.js";
import { isRecordWanted } from "../manager/preimages/record.js";
import { toldBy } from "../manager/restart/channel-compared.js";
import { rowKeys, type AckRow, type PreimageRow, type WatchRow } from "../manager/rows.js";
import type {
  AckResult,
  EventAck,
  LinkHost,
  LinkIdentity,
  MonitorReceipt,
} from "../monitors/monitor-link.js";
import type { BumpBoard } from "./bump-board.js";
import type { ManagerDeps } from "./deps.js";
import type { Replays } from "./replays.js";
import type { RunStep } from "./run-step.js";
import type { UpdateLog } from "./update-log.js";

export interface LinkHostParts {
  readonly deps: ManagerDeps;
  readonly tables: Tables;
  readonly run: RunStep;
  readonly log: UpdateLog;
  /** Channels whose first state is on disk. */
  readonly watches: ReadonlyMap<ChannelId, WatchRow>;
  /** Ack intents that are on disk; the table may hold more. */
  readonly committedAcks: Pick<WeakSet<AckRow>, "has">;
  /** Keys of preimage records that are on disk; the table may hold more. */
  readonly committedPreimages: ReadonlySet<string>;
  readonly bumps: BumpBoard;
  readonly replays: Replays;
}

type Facts = Readonly<Record<string, unknown>>;

export function createLinkHost(parts: LinkHostParts): LinkHost {
  const { deps, tables, run, log, watches, committedAcks, bumps, replays } = parts;
  const facts = (monitor: LinkIdentity, more: Facts = {}): Facts => ({
    monitor: monitor.name,
    ...more,
  });
  const notOk = (monitor: LinkIdentity, what: string, refusal: Refusal): void => {
    deps.log.error(what, facts(monitor, { reason: refusal.reason, details: refusal.details }));
  };
  /** A failed commit has ended the process's work through onFatal. */
  const inBackground = (input: ManagerInput): void => {
    run(input).catch(deps.onFatal);
  };
  return {
    channels: () => [...watches.values()],
    head(channelId) {
      const row = must(tables.channel.get(channelId), "channel row");
      return { updateId: row.acceptedId, updateHash: row.headHash };
    },
    updates: (channelId, from, limit) => log.read(channelId, from, limit),
    hashAt: (channelId, id) => log.hashAt(channelId, id),
    pendingAcks: ({ monitorKey }) =>
      tables.ack.select("monitor", monitorKey).filter((ack) => committedAcks.has(ack)),
    toldBy: ({ monitorKey }, storeId, channelId) =>
      toldBy(tables.receipt.get(rowKeys.receipt(monitorKey, channelId)), storeId),
    async compared({ name: monitorName, monitorKey }, storeId, found) {
      const where = { monitorName, monitorKey, storeId };
      const judged = await run({ kind: "channelCompared", ...where, ...found });
      if (judged.ok) return undefined;
      notOk({ name: monitorName, monitorKey }, judged.error.message, judged.error);
      return judged.error;
    },
    connected(monitor, storeId) {
      bumps.replayBegins(monitor);
      replays.begin(monitor);
      deps.log.info("monitor connected", facts(monitor, { storeId }));
    },
    disconnected(monitor, reason) {
      replays.interrupt(monitor);
      deps.log.warn("monitor disconnected", facts(monitor, { reason }));
    },
    async receipts({ monitorKey }, storeId, receipts) {
      const verified = receipts.map(verifiedReceipt);
      await run({ kind: "receiptsStored", monitorKey, storeId, receipts: verified });
    },
    refused(monitor, channelId, updateId, refusal) {
      notOk(monitor, "monitor refused an update", refusal);
      const monitorName = monitor.name;
      inBackground({ kind: "updateRefused", monitorName, channelId, updateId, refusal });
    },
    pendingPreimages: ({ monitorKey }, storeId) =>
      [...tables.preimage.values()].filter(
        (row) => mustHold(parts, row, monitorKey) && !isDurable(row, monitorKey, storeId),
      ),
    preimagesOf: ({ monitorKey }, channelId) =>
      tables.preimage
        .select("channel", channelId)
        .filter((row) => mustHold(parts, row, monitorKey) && isRecordWanted(tables, row)),
    async preimagesStored({ monitorKey }, storeId, stored) {
      const records = stored.map(({ channelId, paymentHash }) => ({ channelId, paymentHash }));
      await run({ kind: "preimagesStored", monitorKey, storeId, records });
    },
    preimageRefused(monitor, { channelId, paymentHash }, refusal) {
      notOk(monitor, "monitor refused a preimage record", refusal);
      const about = `${monitor.name}/${channelId}/${paymentHash}`;
      const text = `monitor ${monitor.name} refuses a preimage record: ${refusal.reason}`;
      inBackground({ kind: "alarmRaised", code: "preimageRefused", about, text, channelId });
    },
    async event(monitor, storeId, event) {
      const { channelId, eventId, eventHash, subjectKey, body, origin, createdAtMs } = event;
      const fields = { channelId, eventId, eventHash, subjectKey, body, origin, createdAtMs };
      const { monitorKey } = monitor;
      const recorded = await run({ kind: "monitorEvent", monitorKey, storeId, ...fields });
      if (!recorded.ok) notOk(monitor, "event not recorded", recorded.error);
    },
    bump(monitor, item) {
      const fault = bumps.put(monitor, item);
      const about = facts(monitor, { channelId: item.channelId, claimId: claimIdOf(item) });
      if (fault !== undefined) deps.log.warn("bump request not kept", { ...about, fault });
    },
    endOfReplay(monitor, replayed) {
      bumps.replayEnds(monitor);
      deps.log.info("replay of events done", facts(monitor, { replayed: String(replayed) }));
      if (replays.end(monitor, replayed)) {
        deps.log.info("every monitor has replayed its events: nothing else is reconstructed");
      }
    },
    async acked(monitor, results) {
      for (const { ack, result } of results) {
        if (result !== "hashMismatch") continue;
        const { channelId, eventId } = ack;
        const about = facts(monitor, { channelId, eventId });
        deps.log.error("the monitor holds another event under this id", about);
      }
      const inboxKeys = results
        .filter(isGone)
        .filter(({ ack }) => tables.ack.get(inboxKey(monitor, ack))?.eventHash === ack.eventHash)
        .map(({ ack }) => inboxKey(monitor, ack));
      if (inboxKeys.length > 0) await run({ kind: "acksConfirmed", inboxKeys });
    },
    alarm(monitor, channelId, refusal) {
      notOk(monitor, "monitor and manager disagree", refusal);
      const about = `${monitor.name}/${channelId ?? "all"}`;
      const text = `monitor ${monitor.name}: ${refusal.message}`;
      inBackground({ kind: "alarmRaised", code: refusal.reason, about, text, channelId });
    },
  };
}

/** On our disk, and to be on this monitor's. */
function mustHold(
  { tables, committedPreimages }: LinkHostParts,
  row: PreimageRow,
  monitorKey: MonitorKey,
): boolean {
  const required = tables.channel.get(row.channelId)?.requiredMonitors ?? [];
  return required.includes(monitorKey) && committedPreimages.has(rowKeys.preimage(row));
}

const isDurable = ({ durableOn }: PreimageRow, monitorKey: MonitorKey, storeId: StoreId): boolean =>
  durableOn.some((at) => at.monitorKey === monitorKey && at.storeId === storeId);

const verifiedReceipt = (receipt: MonitorReceipt) => ({
  channelId: receipt.channelId,
  updateId: receipt.updateId,
  updateHash: receipt.updateHash,
  afterClose: receipt.status === "appliedAfterClose",
  watermark: receipt.eventWatermark,
  proof: receipt.header,
});

/** "unknown": the monitor never had it or forgot it; either way it will not send it again. */
const isGone = ({ result }: { readonly result: AckResult }): boolean => result !== "hashMismatch";

const inboxKey = ({ monitorKey }: LinkIdentity, ack: EventAck): string =>
  rowKeys.inbox({ monitorKey, ...ack });
