/**
 * Counterparty commitments out of the update log (ADR M-02): a revoked one is in no state, only in the
 * update that carried it. An update carries one for every funding of the channel.
 */
import type { CounterpartyCommitment, InitialState } from "@farwatch/protocol/channel";
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import type { Txid } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { holdersOn, scopeSpentBy } from "../monitor/scopes.js";
import type { LogRow } from "../store/store.js";
import type { ParsedTx } from "../tx/parsed-tx.js";
import type { Core } from "./core.js";
import type { ChannelEntry } from "./monitors.js";

export type StoredCommitments = ReadonlyMap<Txid, CounterpartyCommitment>;

/**
 * Those behind spends of a funding: their HTLCs are only in the log once they are revoked. Looked up for
 * current ones too, because they may be revoked before the step.
 */
export async function storedCommitments(
  core: Core,
  entry: ChannelEntry,
  transactions: readonly ParsedTx[],
): Promise<StoredCommitments> {
  const found = new Map<Txid, CounterpartyCommitment>();
  for (const tx of transactions) {
    const { txid } = tx;
    const scope = scopeSpentBy(entry.state, tx);
    if (scope === undefined) continue;
    if (holdersOn(entry.state, scope).some((holder) => holder.txid === txid)) continue;
    const row = await core.deps.store.findCounterpartyCommitment(entry.headRowId, txid);
    const first = entry.firstCounterpartyCommitments.find((each) => each.txid === txid);
    const commitment = first ?? commitmentIn(row, txid);
    if (commitment !== undefined) found.set(txid, commitment);
  }
  return found;
}

/** Of the first state: on the locked funding and on those pending. */
export const firstCommitmentsIn = (initial: InitialState): readonly CounterpartyCommitment[] =>
  [initial, ...initial.pendingFundings].map(({ counterpartyCommitment }) => counterpartyCommitment);

export function counterpartyCommitmentsIn(step: UpdateStep): readonly CounterpartyCommitment[] {
  switch (step.kind) {
    case "latestCounterpartyCommitment":
      return [step.commitment, ...step.pending.map(({ commitment }) => commitment)];
    case "renegotiatedFunding":
      return [step.counterpartyCommitment];
    case "latestHolderCommitment":
    case "commitmentSecret":
    case "paymentPreimage":
    case "channelForceClosed":
    case "shutdownScript":
    case "renegotiatedFundingLocked":
    case "ldkReleasePaymentComplete":
      return [];
  }
}

const commitmentIn = (row: LogRow | undefined, txid: Txid): CounterpartyCommitment | undefined =>
  commitmentsIn(row).find((commitment) => commitment.txid === txid);

export function commitmentsIn(row: LogRow | undefined): readonly CounterpartyCommitment[] {
  const steps = row === undefined ? undefined : parseUpdatePayload(row.payload);
  return steps?.ok === true ? steps.value.flatMap(counterpartyCommitmentsIn) : [];
}
