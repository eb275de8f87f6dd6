/** The operations of the shell as the RPC layer sees them: one file each, put together here. */
import { checkEpoch } from "@farwatch/protocol/envelope/checks";
import { sat } from "@farwatch/protocol/amount";
import { err, ok } from "@farwatch/protocol/result";
import { feeReserveSat } from "../monitor/bumps/fee-reserve.js";
import { ackEvents } from "./ack-events.js";
import { listChannels, viewAny } from "./archived-channels.js";
import { broadcastHolder } from "./broadcast-holder.js";
import { findOwn, pendingEvents, viewOf } from "./channel-views.js";
import { currentEpoch, tipOf, type Core } from "./core.js";
import type { HostInfo, MonitorHost } from "./monitor-host.js";
import { openSession } from "./open-session.js";
import { signBump } from "./sign-bump.js";
import { putPreimages } from "./put-preimages.js";
import { submitUpdates } from "./submit-updates.js";
import { Turns } from "./turns.js";
import { watchChannel } from "./watch-channel.js";
import { buildSignedJustice, findCounterpartyTxs } from "./watchtower.js";

export function createMonitorHost(core: Core): MonitorHost {
  const turns = new Turns();
  return {
    openSession: (who, request) => openSession(core, who, request),
    watchChannel: (who, request) => watchChannel(core, who, request),
    submitUpdates: (who, batch) => submitUpdates(core, turns, who, batch),
    putPreimages: (who, batch) => putPreimages(core, who, batch),
    ackEvents: (who, batch) => ackEvents(core, who, batch),
    broadcastHolder: (who, request) => broadcastHolder(core, who, request),
    signBump: (who, answer) => signBump(core, who, answer),
    channel(who, id) {
      const found = findOwn(core, who, id);
      return found.ok ? ok(viewOf(core, found.value)) : found;
    },
    anyChannel: (who, id) => viewAny(core, who, id),
    channels: (who, query) => listChannels(core, who, query),
    counterpartyCommitment: (who, id, name) => findCounterpartyTxs(core, who, id, name),
    buildJustice: (who, call) => buildSignedJustice(core, who, call),
    pendingEvents: (who, channel) => pendingEvents(core, who, channel),
    subscribe(who, epoch, subscriber) {
      const fenced = checkEpoch(epoch, currentEpoch(core, who));
      if (fenced !== undefined) return err(fenced);
      return ok(core.feed.subscribe(who.managerKey, epoch, subscriber));
    },
    info: () => infoOf(core),
  };
}

function infoOf(core: Core): HostInfo {
  let pendingEvents = 0;
  let oldestPendingEventAtMs: number | undefined;
  let zeroFeeChannels = 0;
  let feeReserve = 0n;
  for (const { kind, pending, state } of core.monitors.all()) {
    pendingEvents += pending.size;
    const [oldest] = pending.values();
    if (oldest !== undefined) {
      const { createdAtMs } = oldest.event;
      oldestPendingEventAtMs = Math.min(oldestPendingEventAtMs ?? createdAtMs, createdAtMs);
    }
    if (kind !== "full") continue;
    feeReserve += feeReserveSat(state);
    if (state.parameters.channelType === "zero_fee_commitments") zeroFeeChannels += 1;
  }
  const { monitorKey, storeId, chainHash } = core.own;
  return {
    monitorKey,
    storeId,
    storeGen: core.storeGen,
    curveBackend: core.deps.curve.backend,
    chainHash,
    tip: tipOf(core),
    chainState: core.deps.chainState(),
    channels: core.monitors.size,
    zeroFeeChannels,
    archivedChannels: core.archive.size,
    pendingEvents,
    oldestPendingEventAtMs,
    feeReserveSat: sat(feeReserve),
    features: core.sweeper === undefined ? [] : ["sweep"],
  };
}
