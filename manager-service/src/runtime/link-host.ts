/** What links ask for and report: the manager's rows, and inputs for the step. */
import type { MonitorKey, UpdateId } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import type { Refusal } from "@farwatch/protocol/reasons";
import { decodeRow } from "../manager/row-codec.js";
import { rowKeys, type Tables, type UpdateRow } from "../manager/rows.js";
import type { LinkHost, LinkIdentity, StoredUpdate } from "../monitors/monitor-link.js";
import type { ManagerDeps } from "./deps.js";
import type { RunStep } from "./run-step.js";

export function createLinkHost(deps: ManagerDeps, tables: Tables, run: RunStep): LinkHost {
  const { log } = deps;
  const facts = (monitor: LinkIdentity, more: Readonly<Record<string, unknown>> = {}) => ({
    monitor: monitor.name,
    ...more,
  });
  const onRefusal = (monitor: LinkIdentity, what: string, refusal: Refusal): void => {
    log.error(what, facts(monitor, { reason: refusal.reason, details: refusal.details }));
  };
  const updates = async (
    channelId: StoredUpdate["channelId"],
    from: bigint,
    limit: number,
  ): Promise<readonly StoredUpdate[]> => {
    const first = rowKeys.update(channelId, from);
    const end = rowKeys.update(channelId, from + BigInt(limit));
    const rows = await deps.store.range("update", first, end, limit);
    return rows.map(({ value }) => decodeRow<UpdateRow>(value));
  };
  return {
    channels: () =>
      [...tables.channel.values()].map((row) => ({
        channelId: row.channelId,
        firstUpdateId: row.firstUpdateId,
        watchHash: row.watchHash,
        header: row.watchHeader,
        payload: row.watchPayload,
      })),
    head(channelId) {
      const row = must(tables.channel.get(channelId), "channel row");
      return { updateId: row.acceptedId, updateHash: row.headHash };
    },
    updates: (channelId, from, limit) => updates(channelId, from, limit),
    async hashAt(channelId, id: UpdateId) {
      const row = tables.channel.get(channelId);
      if (row === undefined) return undefined;
      if (id === row.firstUpdateId - 1n) return row.genesisHash;
      return (await updates(channelId, id, 1))[0]?.updateHash;
    },
    pendingAcks: (monitor) =>
      tables.ack.keys("monitor", monitor.monitorKey).flatMap((key) => tables.ack.get(key) ?? []),
    connected: (monitor, storeId) => log.info("monitor connected", facts(monitor, { storeId })),
    disconnected: (monitor, reason) => log.warn("monitor disconnected", facts(monitor, { reason })),
    async receipts(monitor, storeId, receipts) {
      await Promise.all(
        receipts.map((receipt) =>
          run({
            kind: "receiptStored",
            monitorKey: monitor.monitorKey,
            storeId,
            channelId: receipt.channelId,
            updateId: receipt.updateId,
            updateHash: receipt.updateHash,
            afterClose: receipt.status === "appliedAfterClose",
            watermark: receipt.eventWatermark,
            proof: receipt.header,
          }),
        ),
      );
    },
    refused(monitor, channelId, updateId, refusal) {
      onRefusal(monitor, "monitor refused an update", refusal);
      const why = `monitor ${monitor.name} refused update ${updateId}: ${refusal.reason}`;
      run({ kind: "channelBroken", channelId, why }).catch(deps.onFatal);
    },
    async event(monitor, storeId, event) {
      const { channelId, eventId, eventHash, subjectKey, body, origin, createdAtMs } = event;
      const recorded = await run({
        kind: "monitorEvent",
        monitorKey: monitor.monitorKey,
        storeId,
        channelId,
        eventId,
        eventHash,
        subjectKey,
        body,
        origin,
        createdAtMs,
      });
      if (!recorded.ok) onRefusal(monitor, "event not recorded", recorded.error);
    },
    endOfReplay: (monitor) => log.info("replay of events done", facts(monitor)),
    async acked(monitor, results) {
      const gone = results.filter(({ result }) => result !== "hashMismatch");
      for (const { ack, result } of results) {
        if (result !== "hashMismatch") continue;
        const { channelId, eventId } = ack;
        log.error("event acked under another hash", facts(monitor, { channelId, eventId }));
      }
      const inboxKeys = gone.map(({ ack }) => inboxKey(monitor.monitorKey, ack));
      if (inboxKeys.length > 0) await run({ kind: "acksConfirmed", inboxKeys });
    },
    alarm(monitor, channelId, refusal) {
      onRefusal(monitor, "monitor and manager disagree", refusal);
      const about = `${monitor.name}/${channelId ?? "all"}`;
      const text = `monitor ${monitor.name}: ${refusal.message}`;
      run({ kind: "alarmRaised", code: refusal.reason, about, text, channelId }).catch(
        deps.onFatal,
      );
    },
  };
}

const inboxKey = (
  monitorKey: MonitorKey,
  ack: Omit<Parameters<typeof rowKeys.inbox>[0], "monitorKey">,
): string => rowKeys.inbox({ monitorKey, ...ack });
