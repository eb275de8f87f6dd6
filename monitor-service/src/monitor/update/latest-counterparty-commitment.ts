/**
 * A new commitment that the counterparty can broadcast. When the funding is already spent, the HTLCs
 * it adds can only fail (R28); when it is the spend itself, seen before we were told of it, the spend
 * is taken up again with full knowledge.
 */
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import { commitmentNumber } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { handleCounterpartyCommitment } from "../chain/on-counterparty-commitment.js";
import { failWithSpend } from "../chain/absent-htlcs.js";
import { forgetUnidentified, revisitSpends } from "../chain/tracked-spend.js";
import { checkCounterpartyCommitment } from "../commitments.js";
import { asOutbound, hasSource, holderCommitments } from "../htlcs.js";
import { change, type Work } from "../work.js";
import type { ReceivedUpdate } from "../input.js";

export function nextCounterpartyCommitment(
  work: Work,
  update: ReceivedUpdate,
  commitment: CounterpartyCommitment,
): Result<void, Refusal> {
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
  if (update.verifySignatures) {
    const checked = checkCounterpartyCommitment(work.ctx, work.state, commitment);
    if (!checked.ok) return checked;
  }
  change(work, { counterparty: commitment, counterpartyPrevious: counterparty });
  afterSpend(work, commitment, counterparty);
  return ok(undefined);
}

function afterSpend(
  work: Work,
  commitment: CounterpartyCommitment,
  previous: CounterpartyCommitment,
): void {
  const { spend } = work.state;
  if (spend === undefined) return;
  if (spend.txid === commitment.txid) {
    change(work, { spend: { ...spend, kind: "counterparty", identified: true } });
    forgetUnidentified(work);
    handleCounterpartyCommitment(work, commitment, spend.block);
    revisitSpends(work);
    return;
  }
  if (spend.kind === "unknown" || spend.kind === "mutual") return;
  const elsewhere = [previous, ...holderCommitments(work.state)];
  for (const htlc of commitment.htlcs) {
    const outbound = asOutbound(htlc);
    if (outbound === undefined) continue;
    const key = outbound.source.sourceKey;
    if (elsewhere.some(({ htlcs }) => hasSource(htlcs, key))) continue;
    failWithSpend(work, outbound, spend);
  }
}
