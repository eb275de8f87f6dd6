/**
 * While splices are pending every commitment is signed once for each funding (BOLT 2, "Quiescence and
 * splicing": a batch of commitment_signed; LDK `verify_matching_commitment_transactions`). All of them
 * must say the same: a scope that differed would settle payments differently when its funding confirms.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import type {
  CommitmentHtlc,
  CounterpartyCommitment,
  HolderCommitment,
  PendingCommitment,
} from "@farwatch/protocol/channel";
import { outpointKey } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { ChannelBasis } from "../commitments.js";
import { scopeView } from "../scopes.js";
import type { MonitorState } from "../state.js";

type Commitment = HolderCommitment | CounterpartyCommitment;
type Verify<C> = (basis: ChannelBasis, commitment: C) => Result<void, Refusal>;

interface OnEveryFunding<C extends Commitment> {
  readonly commitment: C;
  readonly pending: readonly PendingCommitment<C>[];
}

/**
 * One commitment for every pending funding, in the order they were negotiated, each good on its own
 * funding. Gives them in that order. The one on the locked funding is checked by the caller.
 */
export function checkPending<C extends Commitment>(
  state: MonitorState,
  { commitment, pending }: OnEveryFunding<C>,
  verify: Verify<C>,
): Result<readonly C[], Refusal> {
  const { pendingFundings } = state;
  if (pending.length !== pendingFundings.length) {
    const expected = String(pendingFundings.length + 1);
    const why = "not one commitment for every funding of the channel";
    return err(refuse("malformed", why, { field: "commitments", expected }));
  }
  const accepted: C[] = [];
  for (const [index, scope] of pendingFundings.entries()) {
    const at = `commitments[${index + 1}]`;
    const entry = pending[index];
    const { funding } = scope.parameters;
    if (entry === undefined || outpointKey(entry.funding) !== outpointKey(funding)) {
      const details = { field: `${at}.funding`, expected: outpointKey(funding) };
      return err(refuse("malformed", "not the funding that is pending at this place", details));
    }
    const checked = checkSame(commitment, entry.commitment);
    if (!checked.ok) return err(within(at, checked.error));
    const verified = verify(scopeView(state, scope), checked.value);
    if (!verified.ok) return err(within(at, verified.error));
    accepted.push(checked.value);
  }
  return ok(accepted);
}

/** The refusal as one about a part of the message. */
export const within = (at: string, refusal: Refusal): Refusal => ({
  ...refusal,
  details: { ...refusal.details, field: `${at}.${refusal.details["field"] ?? ""}` },
});

const differs = (field: string): Refusal =>
  refuse("malformed", "differs from the commitment on the locked funding", { field });

/** `other` with the HTLC sources of `locked`, so that events never depend on which one confirmed. */
export function checkSame<C extends Commitment>(locked: C, other: C): Result<C, Refusal> {
  if (other.commitmentNumber !== locked.commitmentNumber) return err(differs("commitment_number"));
  if (!equalBytes(other.perCommitmentPoint, locked.perCommitmentPoint)) {
    return err(differs("per_commitment_point"));
  }
  if (other.feeratePerKw !== locked.feeratePerKw) return err(differs("feerate_per_kw"));
  if (other.htlcs.length !== locked.htlcs.length) return err(differs("htlcs"));
  const byName = new Map(locked.htlcs.map((htlc) => [nameOf(htlc), htlc]));
  const htlcs: CommitmentHtlc[] = [];
  for (const htlc of other.htlcs) {
    const known = byName.get(nameOf(htlc));
    if (known === undefined || !isSame(known, htlc)) return err(differs("htlcs"));
    htlcs.push({ ...htlc, source: known.source });
  }
  return ok({ ...other, htlcs });
}

/** Ids are unique per direction in one commitment. */
const nameOf = ({ offered, htlcId }: CommitmentHtlc): string => `${offered}:${htlcId}`;

/** Everything but the place of the output, which depends on the values of the funding. */
const isSame = (a: CommitmentHtlc, b: CommitmentHtlc): boolean =>
  a.amountMsat === b.amountMsat &&
  a.cltvExpiry === b.cltvExpiry &&
  a.paymentHash === b.paymentHash &&
  (a.outputIndex === undefined) === (b.outputIndex === undefined) &&
  a.source?.sourceKey === b.source?.sourceKey;
