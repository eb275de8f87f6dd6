/**
 * A new commitment that the counterparty can broadcast. When the funding is already spent, the HTLCs
 * it adds can only fail (R28); when it is the spend itself, seen before we were told of it, the spend
 * is taken up again with full knowledge.
 */
import { must } from "@farwatch/protocol/assert";
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import { commitmentNumber } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";
import { handleCounterpartyCommitment } from "../chain/on-counterparty-commitment.js";
import { failWithSpend } from "../chain/absent-htlcs.js";
import { forgetUnidentified, revisitSpends } from "../chain/tracked-spend.js";
import { checkCounterpartyCommitment, type ChannelBasis } from "../commitments.js";
import { asOutbound, hasSource, holderCommitments } from "../htlcs.js";
import { change, type Work } from "../work.js";
import type { ReceivedUpdate } from "../input.js";
import { checkPending } from "./on-every-funding.js";

export function nextCounterpartyCommitment(
  work: Work,
  update: ReceivedUpdate,
  step: Extract<UpdateStep, { kind: "latestCounterpartyCommitment" }>,
): Result<void, Refusal> {
  const { commitment } = step;
  const { counterparty, counterpartyPrevious } = work.state;
  const expected = commitmentNumber(counterparty.commitmentNumber + 1);
  if (commitment.commitmentNumber !== expected) {
    return err(
      refuse("malformed", "not the next counterparty commitment", {
        field: "commitment_number",
        expected: String(expected),
      }),
    );
  }
  // BOLT 2: one un-revoked commitment at a time; the one before must be revoked before the next.
  if (counterpartyPrevious !== undefined) {
    return err(
      refuse("malformed", "the previous counterparty commitment is not revoked yet", {
        field: "commitment_number",
      }),
    );
  }
  const verify = (basis: ChannelBasis, on: CounterpartyCommitment): Result<void, Refusal> =>
    update.verifySignatures ? checkCounterpartyCommitment(work.ctx, basis, on) : ok(undefined);
  const checked = verify(work.state, commitment);
  if (!checked.ok) return checked;
  const onPending = checkPending(work.state, step, verify);
  if (!onPending.ok) return onPending;
  change(work, {
    counterparty: commitment,
    counterpartyPrevious: counterparty,
    pendingFundings: work.state.pendingFundings.map((scope, index) => ({
      ...scope,
      counterparty: must(onPending.value[index], "one for every funding"),
      counterpartyPrevious: scope.counterparty,
    })),
  });
  const { spend } = work.state;
  const named = [commitment, ...onPending.value].find(({ txid }) => txid === spend?.txid);
  if (named === undefined) failLateHtlcs(work, commitment, counterparty);
  else nameSpend(work, named);
  return ok(undefined);
}

/** It is the commitment that was seen to confirm before anyone told us of it. */
function nameSpend(work: Work, commitment: CounterpartyCommitment): void {
  const spend = must(work.state.spend, "the spend it names");
  change(work, { spend: { ...spend, kind: "counterparty", identified: true } });
  forgetUnidentified(work);
  handleCounterpartyCommitment(work, commitment, spend.block);
  revisitSpends(work);
}

function failLateHtlcs(
  work: Work,
  commitment: CounterpartyCommitment,
  previous: CounterpartyCommitment,
): void {
  const { spend } = work.state;
  if (spend === undefined || spend.kind === "unknown" || spend.kind === "mutual") return;
  const elsewhere = [previous, ...holderCommitments(work.state)];
  for (const htlc of commitment.htlcs) {
    const outbound = asOutbound(htlc);
    if (outbound === undefined) continue;
    const key = outbound.source.sourceKey;
    if (elsewhere.some(({ htlcs }) => hasSource(htlcs, key))) continue;
    failWithSpend(work, outbound, spend);
  }
}
