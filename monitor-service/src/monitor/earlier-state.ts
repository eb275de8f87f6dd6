/**
 * What the monitor of a channel in use knew besides its current commitments: the ones before, checked like
 * any other, and preimages. An HTLC that was fulfilled is remembered as told, because its node knows; its
 * preimage still goes to the inbound channel (relayFulfilled), where it may be the only one.
 */
import type {
  CommitmentOnFundings,
  CounterpartyCommitment,
  EarlierState,
  HolderCommitment,
} from "@farwatch/protocol/channel";
import { hashOfPreimage, outpointKey } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import {
  checkCounterpartyCommitment,
  checkHolderCommitment,
  type ChannelBasis,
} from "./commitments.js";
import type { MonitorContext } from "./context.js";
import { asOutbound, liveHtlcs } from "./htlcs.js";
import { scopeView } from "./scopes.js";
import type { MonitorState, PendingFunding } from "./state.js";
import { checkSame, within } from "./update/on-every-funding.js";
import {
  change,
  learnPreimage,
  relayPreimage,
  reportedFor,
  startWork,
  withEntry,
  type Work,
} from "./work.js";

type Commitment = HolderCommitment | CounterpartyCommitment;
type Check<C> = (basis: ChannelBasis, commitment: C) => Result<void, Refusal>;

export function withEarlierState(
  ctx: MonitorContext,
  state: MonitorState,
  earlier: EarlierState | undefined,
): Result<MonitorState, Refusal> {
  if (earlier === undefined) return ok(state);
  const holder = before<HolderCommitment>(
    state,
    state.holder,
    earlier.previousHolder,
    (basis, on) => checkHolderCommitment(ctx, basis, on),
  );
  if (!holder.ok) return err(within("earlier.previous_holder_commitments", holder.error));
  const counterparty = before<CounterpartyCommitment>(
    state,
    state.counterparty,
    earlier.previousCounterparty,
    (basis, on) => checkCounterpartyCommitment(ctx, basis, on),
  );
  if (!counterparty.ok) {
    return err(within("earlier.previous_counterparty_commitments", counterparty.error));
  }
  const work = startWork(ctx, {
    ...state,
    holderPrevious: holder.value.locked,
    counterpartyPrevious: counterparty.value.locked,
    pendingFundings: state.pendingFundings.map((scope, index) => ({
      ...scope,
      holderPrevious: holder.value.pending[index],
      counterpartyPrevious: counterparty.value.pending[index],
    })),
  });
  for (const preimage of earlier.preimages) learnPreimage(work, hashOfPreimage(preimage), preimage);
  for (const { sourceKey, reason } of earlier.failed) {
    change(work, { failReasons: withEntry(work.state.failReasons, sourceKey, reason) });
  }
  const refusal = rememberFulfilled(work, earlier);
  return refusal === undefined ? ok(work.state) : err(refusal);
}

interface Before<C> {
  readonly locked: C | undefined;
  /** One place for every pending funding. */
  readonly pending: readonly (C | undefined)[];
}

function before<C extends Commitment>(
  state: MonitorState,
  current: C,
  given: CommitmentOnFundings<C> | undefined,
  check: Check<C>,
): Result<Before<C>, Refusal> {
  if (given === undefined) {
    return ok({ locked: undefined, pending: state.pendingFundings.map(() => undefined) });
  }
  const { commitment } = given;
  if (commitment.commitmentNumber + 1 !== current.commitmentNumber) {
    return err(refuse("malformed", "not the one before", { field: "commitment_number" }));
  }
  const checked = check(state, commitment);
  if (!checked.ok) return checked;
  const byFunding = new Map(given.pending.map((each) => [outpointKey(each.funding), each]));
  const pending: (C | undefined)[] = [];
  for (const scope of state.pendingFundings) {
    const key = outpointKey(scope.parameters.funding);
    const named = byFunding.get(key);
    byFunding.delete(key);
    const on =
      named === undefined ? ok(undefined) : onPending(state, scope, commitment, named, check);
    if (!on.ok) return on;
    pending.push(on.value);
  }
  const isLeft = byFunding.size > 0 || given.pending.length > pending.length;
  if (isLeft) return err(refuse("malformed", "not a pending funding", { field: "funding" }));
  return ok({ locked: commitment, pending });
}

function onPending<C extends Commitment>(
  state: MonitorState,
  scope: PendingFunding,
  locked: C,
  { commitment }: { readonly commitment: C },
  check: Check<C>,
): Result<C, Refusal> {
  const same = checkSame(locked, commitment);
  if (!same.ok) return same;
  const checked = check(scopeView(state, scope), same.value);
  return checked.ok ? same : checked;
}

/** One that no commitment has any more is over; its preimage is kept all the same. */
function rememberFulfilled(work: Work, { fulfilled }: EarlierState): Refusal | undefined {
  const hashes = new Map(
    [...liveHtlcs(work.state)].flatMap(({ htlc }) =>
      htlc.source === undefined ? [] : [[htlc.source.sourceKey, htlc.paymentHash] as const],
    ),
  );
  for (const [index, { sourceKey, preimage }] of fulfilled.entries()) {
    const hash = hashes.get(sourceKey);
    if (hash === undefined) {
      learnPreimage(work, hashOfPreimage(preimage), preimage);
      continue;
    }
    if (hashOfPreimage(preimage) !== hash) {
      const details = { field: `earlier.fulfilled[${index}]` };
      return refuse("preimageMismatch", "it does not open the payment hash", details);
    }
    const { state } = work;
    const reported = { ...reportedFor(state, sourceKey), claimedOffChain: true };
    change(work, {
      fulfilled: withEntry(state.fulfilled, sourceKey, preimage),
      reported: withEntry(state.reported, sourceKey, reported),
    });
  }
  return undefined;
}

/** To the inbound channels of what was fulfilled before the first state; repeats change nothing. */
export function relayFulfilled(work: Work): void {
  const { fulfilled } = work.state;
  const relayed = new Set<string>();
  for (const { htlc } of liveHtlcs(work.state)) {
    const outbound = asOutbound(htlc);
    const preimage = outbound && fulfilled.get(outbound.source.sourceKey);
    if (outbound === undefined || preimage === undefined) continue;
    if (relayed.has(outbound.source.sourceKey)) continue;
    relayed.add(outbound.source.sourceKey);
    relayPreimage(work, outbound.source, preimage);
  }
}
