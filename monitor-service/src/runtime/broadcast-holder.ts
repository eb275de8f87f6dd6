/**
 * BroadcastHolderCommitment: an operator closes the channel through this monitor. A command, not an
 * update: the node alone numbers updates (contract 2.1). The step and its event are durable first.
 */
import { checkEpoch } from "@farwatch/protocol/envelope/checks";
import { updateId, type ChannelId, type Txid } from "@farwatch/protocol/ids";
import { utf8 } from "@farwatch/protocol/bytes";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { applyInput } from "./apply-input.js";
import { currentEpoch, type Core } from "./core.js";
import { findOwn } from "./channel-views.js";
import { haltedRefusal } from "./halt.js";
import type { Principal } from "./monitor-host.js";
import { runStep } from "./run-step.js";

/** Characters of the operator's reason; it is stored and sent in the event. */
export const MAX_REASON_CHARACTERS = 256;
const NO_BATCH = 0;

export interface BroadcastRequest {
  readonly channelId: ChannelId;
  readonly reason: string;
  readonly overrideStale: boolean;
  /** Of the caller's session: a manager that was replaced closes nothing. */
  readonly epoch: bigint;
}

/** The txid of the commitment, or of the spend that came first. */
export async function broadcastHolder(
  core: Core,
  who: Principal,
  request: BroadcastRequest,
): Promise<Result<Txid, Refusal>> {
  const { reason, overrideStale } = request;
  if (!who.admin) return err(refuse("notYourChannel", "only an admin may broadcast"));
  if (reason.length > MAX_REASON_CHARACTERS) {
    const details = { field: "reason", limit: String(MAX_REASON_CHARACTERS) };
    return err(refuse("tooLarge", "the reason is too long", details));
  }
  const found = findOwn(core, who, request.channelId);
  if (!found.ok) return found;
  const entry = found.value;
  return runStep(core, (draft) => {
    const fenced = checkEpoch(request.epoch, currentEpoch(core, who));
    if (fenced !== undefined) return err(fenced);
    if (entry.halt?.scope === "all") return err(haltedRefusal(entry.halt.incident));
    const input = { kind: "broadcastHolder" as const, reason, overrideStale };
    const applied = applyInput(core, draft, entry, input, () => ({
      kind: "command",
      updateId: updateId(0),
      updateHash: undefined,
      header: new Uint8Array(),
      payload: utf8(JSON.stringify({ reason, overrideStale })),
      counterpartyTxids: [],
      batchRowId: NO_BATCH,
    }));
    if (!applied.ok) return applied;
    const { spend, holderBroadcast, holder } = applied.value.state;
    return ok(spend?.txid ?? holderBroadcast?.commitment.txid ?? holder.txid);
  });
}
