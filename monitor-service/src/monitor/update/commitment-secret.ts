/**
 * The counterparty revokes its previous commitment. The secret must open the point given with that
 * commitment and fit all earlier secrets (BOLT 3). Outbound HTLCs that are gone from both sides are
 * failed here unless they were claimed (R11) or stand in a commitment that confirmed. When that is the
 * one revoked here, everything the counterparty has in it is taken.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import type { SourceKey } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";
import { commitmentIndex } from "@farwatch/protocol/bolt/commitment-number";
import { insertSecret } from "../../bolt/per-commitment-secrets.js";
import { punishConfirmed } from "../chain/on-revoked-commitment.js";
import { asOutbound, hasSource, isClosing, livePaymentHashes, liveSourceKeys } from "../htlcs.js";
import { change, failOutbound, withoutKeys, type Work } from "../work.js";
import type { ReceivedUpdate } from "../input.js";
import { counterpartyCommitmentOf } from "../scopes.js";
import type { MonitorState, OutboundHtlc } from "../state.js";

type SecretStep = Extract<UpdateStep, { kind: "commitmentSecret" }>;

export function revokeCounterparty(
  work: Work,
  update: ReceivedUpdate,
  step: SecretStep,
): Result<void, Refusal> {
  const revoked = work.state.counterpartyPrevious;
  if (revoked?.commitmentNumber !== step.commitmentNumber) {
    return err(
      refuse("malformed", "no un-revoked previous commitment of that number", {
        field: "commitment_number",
      }),
    );
  }
  const { curve } = work.ctx;
  const opens =
    curve.isSecret(step.secret) &&
    equalBytes(curve.publicKey(step.secret), revoked.perCommitmentPoint);
  const index = commitmentIndex(step.commitmentNumber);
  const inserted = opens ? insertSecret(work.state.secrets, index, step.secret) : undefined;
  if (inserted?.ok !== true) {
    return err(
      refuse("invalidSecret", "the secret does not open the commitment's point", {
        update_id: String(update.updateId),
      }),
    );
  }
  failGone(work, update, revoked);
  const { spend } = work.state;
  const confirmed =
    spend === undefined ? undefined : counterpartyCommitmentOf(work.state, spend.txid);
  change(work, {
    secrets: inserted.value,
    counterpartyPrevious: undefined,
    pendingFundings: work.state.pendingFundings.map((scope) => ({
      ...scope,
      counterpartyPrevious: undefined,
    })),
  });
  // One secret revokes the commitments of that number on every funding.
  if (confirmed?.commitmentNumber === step.commitmentNumber) punishConfirmed(work, confirmed);
  prune(work);
  return ok(undefined);
}

/** Those left to the chain before count too: a reorganisation may have taken their commitment away. */
function failGone(work: Work, { updateId }: ReceivedUpdate, revoked: CounterpartyCommitment): void {
  const { counterparty, leftToChain } = work.state;
  const dropped = revoked.htlcs
    .map(asOutbound)
    .filter((htlc) => htlc !== undefined)
    .filter(({ source }) => !hasSource(counterparty.htlcs, source.sourceKey));
  const left: OutboundHtlc[] = [];
  for (const htlc of [...leftToChain, ...dropped]) {
    if (standsOnChain(work.state, htlc.source.sourceKey)) left.push(htlc);
    else failOutbound(work, htlc, { kind: "update", updateId });
  }
  change(work, { leftToChain: left });
}

/**
 * The HTLC is an output of the commitment that confirmed: the counterparty can still take it with the
 * preimage, whatever it revokes now, so only the chain may fail it.
 */
const standsOnChain = ({ tracked }: MonitorState, key: SourceKey): boolean =>
  tracked.some(({ role }) => role.kind === "htlc" && role.htlc.source?.sourceKey === key);

/**
 * Forgets what no un-revoked commitment names any more. Preimages named by either of our two holder
 * commitments are kept: those can still confirm (contract 2.11). A closing channel forgets nothing.
 */
function prune(work: Work): void {
  if (isClosing(work.state)) return;
  const sources = liveSourceKeys(work.state);
  const hashes = livePaymentHashes(work.state);
  const { preimages, fulfilled, failReasons, reported } = work.state;
  change(work, {
    preimages: withoutKeys(preimages, (hash) => hashes.has(hash)),
    fulfilled: withoutKeys(fulfilled, (key) => sources.has(key)),
    failReasons: withoutKeys(failReasons, (key) => sources.has(key)),
    reported: withoutKeys(reported, (key) => sources.has(key)),
  });
}
