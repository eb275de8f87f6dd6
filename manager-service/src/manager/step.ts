/**
 * step(tables, context, input): the whole of the manager's judgement, as a pure function. It reads rows,
 * writes a draft and names effects; the shell commits the draft in one transaction and only then runs
 * the effects. A refusal changes nothing, except what its Decision says must be kept.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { storeAckIntents } from "./ack-predicate.js";
import { ALL, Draft, type Tables } from "./draft.js";
import type { Decision } from "./effect.js";
import type { Context, ManagerInput } from "./input.js";
import { claimPayment } from "./claims/claim-payment.js";
import { refreshInbound, timePassed } from "./inbound/refresh.js";
import { itemsDone } from "./items-done.js";
import { releaseHeld } from "./monitor-events/htlc-event.js";
import { process, receiveEvent } from "./monitor-events/receive-event.js";
import { htlcFulfilled, htlcNotSent } from "./payments/htlc-words.js";
import { registerPayment, requestClose } from "./payments/requests.js";
import { preimagesStored } from "./preimages/record.js";
import { channelCompared } from "./restart/channel-compared.js";
import { openSession } from "./sessions.js";
import { acceptUpdate, type OfferedUpdate } from "./updates/accept-update.js";
import { acceptCheckpoint } from "./updates/accept-checkpoint.js";
import { acceptPenaltyWatch, acceptWatch } from "./updates/accept-watch.js";
import { complete, storeReceipts } from "./updates/receipts.js";
import { alarm, changeChannel, type Work } from "./work.js";

const startWork = (tables: Tables, context: Context): Work => ({
  draft: new Draft(tables),
  context,
  effects: [],
  touched: new Set(),
  forwards: new Set(),
  inbounds: new Set(),
  withdrawn: new Set(),
});

export function step(
  tables: Tables,
  context: Context,
  input: ManagerInput,
): Result<Decision, Refusal> {
  if (input.kind === "updateOffered") return offerUpdate(tables, context, input);
  const work = startWork(tables, context);
  if (input.kind === "channelCompared") return ok(decide(work, channelCompared(work, input)));
  const refusal = handle(work, input);
  return refusal === undefined ? ok(decide(work)) : err(refusal);
}

function offerUpdate(
  tables: Tables,
  context: Context,
  input: OfferedUpdate,
): Result<Decision, Refusal> {
  const work = startWork(tables, context);
  const acceptance = acceptUpdate(work, input);
  switch (acceptance.kind) {
    case "accepted":
      return ok(decide(work));
    case "refused":
      return err(acceptance.refusal);
    case "refusedKeeping": {
      const fresh = startWork(tables, context);
      acceptance.keep(fresh);
      return ok(decide(fresh, acceptance.refusal));
    }
    default:
      return assertNever(acceptance);
  }
}

function decide(work: Work, refusal?: Refusal): Decision {
  for (const channelId of work.touched) releaseHeld(work, channelId, process);
  refreshInbound(work);
  storeAckIntents(work);
  for (const channelId of work.touched) complete(work, channelId);
  return { changes: work.draft.changes(), effects: work.effects, refusal };
}

function handle(
  work: Work,
  input: Exclude<ManagerInput, { kind: "updateOffered" | "channelCompared" }>,
): Refusal | undefined {
  switch (input.kind) {
    case "watchOffered":
      return acceptWatch(work, input);
    case "penaltyWatchOffered":
      return acceptPenaltyWatch(work, input);
    case "checkpointOffered":
      return acceptCheckpoint(work, input);
    case "receiptsStored":
      storeReceipts(work, input);
      return undefined;
    case "updateRefused":
      updateRefused(work, input);
      return undefined;
    case "monitorEvent":
      return receiveEvent(work, input);
    case "acksConfirmed":
      acksConfirmed(work, input.inboxKeys);
      return undefined;
    case "paymentRegistered":
      return registerPayment(work, input);
    case "paymentClosed":
      return requestClose(work, input);
    case "htlcNotSent":
      return htlcNotSent(work, input);
    case "itemsDone":
      return itemsDone(work, input);
    case "sessionOpened":
      return openSession(work, input);
    case "preimagesStored":
      preimagesStored(work, input);
      return undefined;
    case "claimRequested":
      return claimPayment(work, input);
    case "htlcFulfilled":
      return htlcFulfilled(work, input);
    case "timePassed":
      timePassed(work, input);
      return undefined;
    case "alarmRaised":
      raiseAlarm(work, input);
      return undefined;
    default:
      return assertNever(input);
  }
}

/** The monitor confirmed: neither intent nor event is needed any more; domain rows keep the facts. */
function acksConfirmed(work: Work, inboxKeys: readonly string[]): void {
  for (const key of inboxKeys) {
    if (work.draft.ack.get(key) === undefined) continue;
    work.draft.ack.delete(key);
    work.draft.inbox.delete(key);
  }
}

/** An accepted update that a monitor will never take: the channel cannot go on by itself. */
function updateRefused(
  work: Work,
  { monitorName, channelId, updateId, refusal }: Extract<ManagerInput, { kind: "updateRefused" }>,
): void {
  const channel = work.draft.channel.get(channelId);
  if (channel === undefined) return;
  const { nodeKey } = channel;
  const text = `monitor ${monitorName} refuses update ${updateId}: ${refusal.reason}`;
  if (channel.frozen === undefined) changeChannel(work, channelId, { frozen: text });
  alarm(work, nodeKey, "updateRefused", `${monitorName}/${channelId}/${updateId}`, text, channelId);
  work.effects.push({ kind: "refused", nodeKey, channelId, updateId, refusal });
}

/** To the channel's node, or to every node that ever opened a session. */
function raiseAlarm(
  work: Work,
  { code, about, text, channelId }: Extract<ManagerInput, { kind: "alarmRaised" }>,
): void {
  const channel = channelId === undefined ? undefined : work.draft.channel.get(channelId);
  const nodes = channel === undefined ? work.draft.session.select("all", ALL) : [channel];
  for (const { nodeKey } of nodes) alarm(work, nodeKey, code, about, text, channelId);
}
