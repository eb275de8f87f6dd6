/**
 * Counterparty commitments out of the update log (ADR M-02): a revoked one is in no state, only in the
 * update that carried it. An update carries one for every funding of the channel.
 */
import type { CounterpartyCommitment, InitialState } from "@farwatch/protocol/channel";
import { parseInitialState } from "@farwatch/protocol/convert/channel";
import { parseUpdate } from "@farwatch/protocol/envelope/update";
import type { Txid } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { revokedBeforeImport } from "../monitor/imported-commitment.js";
import type { StoredCommitment } from "../monitor/input.js";
import { holdersOn, scopeSpentBy } from "../monitor/scopes.js";
import type { LogRow } from "../store/store.js";
import type { ParsedTx } from "../tx/parsed-tx.js";
import type { Core } from "./core.js";
import type { ChannelEntry } from "./monitors.js";
import { readPayload } from "./update-payload.js";

export type StoredCommitments = ReadonlyMap<Txid, StoredCommitment>;

/**
 * Those behind spends of a funding: their HTLCs are only in the log once they are revoked. Looked up for
 * current ones too, because they may be revoked before the step.
 */
export async function storedCommitments(
  core: Core,
  entry: ChannelEntry,
  transactions: readonly ParsedTx[],
): Promise<StoredCommitments> {
  const found = new Map<Txid, StoredCommitment>();
  for (const tx of transactions) {
    const { txid } = tx;
    const scope = scopeSpentBy(entry.state, tx);
    if (scope === undefined) continue;
    if (holdersOn(entry.state, scope).some((holder) => holder.txid === txid)) continue;
    const row = await core.deps.store.findCounterpartyCommitment(entry.headRowId, txid);
    const first = entry.firstCounterpartyCommitments.find((each) => each.txid === txid);
    const stored = first === undefined ? await commitmentsIn(core, entry, row) : [];
    const commitment =
      first ??
      stored.find((each) => each.txid === txid) ??
      (await revokedBefore(core, entry, txid));
    if (commitment !== undefined) found.set(txid, commitment);
  }
  return found;
}

/** In the monitor of LDK that the channel was imported from. */
async function revokedBefore(
  core: Core,
  entry: ChannelEntry,
  txid: Txid,
): Promise<StoredCommitment | undefined> {
  const payload = await core.deps.store.readWatchPayload(entry.channelNo);
  const initial = payload && parseInitialState(payload);
  const ldkMonitor = initial?.ok === true ? initial.value.ldkMonitor : undefined;
  return ldkMonitor && revokedBeforeImport(entry.state, ldkMonitor, txid);
}

/** Of the first state: on the locked funding, on those pending, and what was not revoked yet. */
export function firstCommitmentsIn(initial: InitialState): readonly CounterpartyCommitment[] {
  const current = [initial, ...initial.pendingFundings].map((each) => each.counterpartyCommitment);
  const before = initial.earlier?.previousCounterparty;
  if (before === undefined) return current;
  return [...current, before.commitment, ...before.pending.map(({ commitment }) => commitment)];
}

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
    case "penaltyTransaction":
      return [];
  }
}

/**
 * Of a stored update; nothing when its row cannot be read. In LDK's bytes a splice names only HTLCs with an
 * output: the others and all sources stand in the commitment of the same number before it, on whatever
 * funding.
 */
export async function commitmentsIn(
  core: Core,
  entry: ChannelEntry,
  row: LogRow | undefined,
): Promise<readonly CounterpartyCommitment[]> {
  const header = row === undefined ? undefined : parseUpdate(row.header);
  if (row === undefined || header?.ok !== true) return [];
  const { parameters } = entry.state;
  const read = (counterparty?: CounterpartyCommitment) => {
    let isSplice = false;
    const steps = readPayload(header.value, row.payload, () => {
      isSplice = true;
      return { parameters, counterparty };
    });
    const commitments = steps.ok ? steps.value.flatMap(counterpartyCommitmentsIn) : [];
    return { isSplice, commitments };
  };
  const { isSplice, commitments } = read();
  if (!isSplice) return commitments;
  const earlier = await core.deps.store.findAnyCommitment(row.prevRowId);
  const before = (await commitmentsIn(core, entry, earlier)).at(-1);
  return read(before ?? entry.firstCounterpartyCommitments[0]).commitments;
}
