/**
 * step(tables, input): what one input changes and causes. Pure: it reads rows and returns changes and
 * effects; the shell commits the changes in one transaction and only then runs the effects.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { confirmAcks } from "./acks.js";
import { itemsDone } from "./done.js";
import type { Effect } from "./effect.js";
import type { ManagerInput } from "./input.js";
import { recordEvent } from "./monitor-events/record-event.js";
import { closePayment, registerPayment } from "./payments/outbound.js";
import { Draft, type Tables } from "./rows.js";
import type { Change } from "./tables.js";
import { acceptUpdate, freeze } from "./updates/accept-update.js";
import { acceptWatch } from "./updates/accept-watch.js";
import { storeReceipt } from "./updates/receipts.js";
import { semanticKeys } from "./user-event.js";
import { channelOf, tell, type Work } from "./work.js";

export interface ManagerContext {
  readonly curve: Curve;
  readonly nowMs: number;
}

export interface Decision {
  readonly changes: readonly Change[];
  readonly effects: readonly Effect[];
}

export function step(
  ctx: ManagerContext,
  tables: Tables,
  input: ManagerInput,
): Result<Decision, Refusal> {
  const work: Work = { ...ctx, draft: new Draft(tables), effects: [] };
  const refused = dispatch(work, input);
  return refused.ok
    ? ok({ changes: work.draft.changes(), effects: work.effects })
    : err(refused.error);
}

function dispatch(work: Work, input: ManagerInput): Result<void, Refusal> {
  switch (input.kind) {
    case "watchOffered":
      return acceptWatch(work, input);
    case "updateOffered":
      return acceptUpdate(work, input);
    case "receiptStored":
      storeReceipt(work, input);
      return ok(undefined);
    case "channelBroken":
      freeze(work, channelOf(work, input.channelId), input.why);
      return ok(undefined);
    case "monitorEvent":
      return recordEvent(work, input);
    case "acksConfirmed":
      confirmAcks(work, input.inboxKeys);
      return ok(undefined);
    case "paymentRegistered":
      return registerPayment(work, input);
    case "paymentClosed":
      return closePayment(work, input.paymentId, input.reason);
    case "itemsDone":
      itemsDone(work, input);
      return ok(undefined);
    case "sessionOpened":
      return openSession(work, input);
    case "alarmRaised":
      raiseAlarm(work, input);
      return ok(undefined);
    default:
      return assertNever(input);
  }
}

/** An older node epoch is fenced; the same epoch gets its session again. */
function openSession(
  work: Work,
  { nodeKey, nodeEpoch, sessionId }: Extract<ManagerInput, { kind: "sessionOpened" }>,
): Result<void, Refusal> {
  const known = work.draft.session.get(nodeKey);
  if (known !== undefined && known.nodeEpoch > nodeEpoch) {
    return err(
      refuse("fenced", "a newer node epoch is known", {
        current_epoch: String(known.nodeEpoch),
      }),
    );
  }
  work.draft.session.put(nodeKey, { nodeKey, nodeEpoch, sessionId });
  return ok(undefined);
}

function raiseAlarm(
  work: Work,
  { code, about, text, channelId }: Extract<ManagerInput, { kind: "alarmRaised" }>,
): void {
  const row = channelId === undefined ? undefined : work.draft.channel.get(channelId);
  if (row === undefined) return; // monitor-wide alarms are in the log and in ListMonitors
  const event = { kind: "alarm", code, text, channelId } as const;
  tell(work, row.nodeKey, semanticKeys.alarm(code, about), event);
}
