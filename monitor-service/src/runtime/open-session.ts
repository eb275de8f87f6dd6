/**
 * OpenSession: the newest epoch of a manager fences all older ones, durably, before the answer
 * (contract 2.25). The same epoch and nonce again is answered again; another nonce is another process.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import { openSession as openEnvelope } from "@farwatch/protocol/envelope/open-manager-batch";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { EpochRow } from "../store/store.js";
import { identityOf, type Core } from "./core.js";
import type { Principal, SessionOpened, SignedHeader } from "./monitor-host.js";
import { runStep } from "./run-step.js";

export async function openSession(
  core: Core,
  who: Principal,
  request: SignedHeader,
): Promise<Result<SessionOpened, Refusal>> {
  const opened = openEnvelope(core.deps.curve, identityOf(core, who), core.own, request);
  if (!opened.ok) return opened;
  const { epoch, bootNonce } = opened.value.header;
  const row: EpochRow = { managerKey: who.managerKey, epoch, bootNonce };
  const known = core.epochs.get(who.managerKey);
  const refusal = placeEpoch(known, row);
  if (refusal !== undefined) return err(refusal);

  await runStep(core, (draft) => {
    if (known?.epoch === epoch) return; // waits for the commit that stored it
    core.epochs.set(who.managerKey, row);
    core.feed.fence(who.managerKey, epoch);
    draft.write({ op: "putEpoch", row });
  });
  const { monitorKey, storeId } = core.own;
  return ok({ monitorKey, storeId, storeGen: core.storeGen, epoch });
}

function placeEpoch(known: EpochRow | undefined, asked: EpochRow): Refusal | undefined {
  if (known === undefined || asked.epoch > known.epoch) return undefined;
  const details = { current_epoch: String(known.epoch) };
  if (asked.epoch < known.epoch) {
    return refuse("fenced", `epoch ${asked.epoch} is over`, details);
  }
  if (equalBytes(asked.bootNonce, known.bootNonce)) return undefined;
  return refuse("fenced", `epoch ${asked.epoch} belongs to another process`, details);
}
