/**
 * The first state of a monitor, from WatchChannel: both sides' first commitments are checked exactly
 * like later ones before anything is accepted, and splices that are pending exactly like those that an
 * update negotiates.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import type { InitialState } from "@farwatch/protocol/channel";
import { eventId, type CommitmentNumber, type Hash32, type UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { commitmentIndex, obscureFactor } from "@farwatch/protocol/bolt/commitment-number";
import {
  emptySecretStore,
  insertSecret,
  type SecretStore,
} from "../bolt/per-commitment-secrets.js";
import { checkCounterpartyCommitment, checkHolderCommitment } from "./commitments.js";
import { FLOOR_FEERATES } from "./constants.js";
import type { MonitorContext } from "./context.js";
import { higher } from "./holder-floor.js";
import type { MonitorState } from "./state.js";
import { withEarlierState } from "./earlier-state.js";
import { within } from "./update/on-every-funding.js";
import { renegotiateFunding } from "./update/renegotiated-funding.js";
import { startWork } from "./work.js";

export interface CreateArgs {
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  /** The host's tip: the chain is watched from here on. */
  readonly best: BlockPoint;
  /** Known from before, when the channel was watched here once; undefined: it was not. */
  readonly holderFloor?: CommitmentNumber | undefined;
}

export function createMonitor(
  ctx: MonitorContext,
  initial: InitialState,
  args: CreateArgs,
): Result<MonitorState, Refusal> {
  const { parameters, holderCommitment, counterpartyCommitment } = initial;
  const points = [
    ...Object.entries(parameters.holderPubkeys),
    ...Object.entries(parameters.counterpartyPubkeys),
  ];
  for (const [field, point] of points) {
    if (!ctx.curve.isPoint(point)) {
      return err(refuse("malformed", "not a point on the curve", { field }));
    }
  }
  const ours = parameters.holderPubkeys.paymentPoint;
  const theirs = parameters.counterpartyPubkeys.paymentPoint;
  const factor = parameters.holderIsOpener
    ? obscureFactor(ours, theirs)
    : obscureFactor(theirs, ours);
  const basis = { parameters, obscureFactor: factor };
  const holder = checkHolderCommitment(ctx, basis, holderCommitment);
  if (!holder.ok) return holder;
  const counterparty = checkCounterpartyCommitment(ctx, basis, counterpartyCommitment);
  if (!counterparty.ok) return counterparty;
  const secrets = revokedBefore(initial);
  if (!secrets.ok) return secrets;
  const current = withPendingFundings(ctx, initial, {
    parameters,
    firstFunding: parameters.funding,
    pendingFundings: [],
    retiredFundings: [],
    alternativeFunding: undefined,
    obscureFactor: factor,
    latestUpdateId: args.updateId,
    latestUpdateHash: args.updateHash,
    nextEventId: eventId(1n),
    holder: holderCommitment,
    holderFloor: higher(holderCommitment.commitmentNumber, args.holderFloor),
    holderPrevious: undefined,
    counterparty: counterpartyCommitment,
    counterpartyPrevious: undefined,
    secrets: secrets.value,
    preimages: new Map(),
    fulfilled: new Map(),
    failReasons: new Map(),
    reported: new Map(),
    leftToChain: [],
    shutdownScript: parameters.shutdownScript,
    lockdown: false,
    staleSuspected: false,
    staleOverridden: false,
    holderBroadcast: undefined,
    awaitsFunding: initial.manualBroadcast,
    best: args.best,
    feerates: FLOOR_FEERATES,
    fundingConfirmedAt: undefined,
    spend: undefined,
    seenSpend: undefined,
    spendReported: false,
    waiting: [],
    tracked: [],
    outputSpends: new Map(),
    unidentifiedSpends: [],
    suspects: [],
    claims: [],
    confirmedHolder: undefined,
    holderHtlcClaims: [],
    bumps: [],
    settled: { facts: [], tracked: [], claims: [] },
    formerClaims: [],
    toldSpendable: new Set(),
    neverFundedAt: undefined,
    resolvedSince: undefined,
    ownOutputs: [],
  });
  return current.ok ? withEarlierState(ctx, current.value, initial.earlier) : current;
}

/** They must fit each other (BOLT 3); their points are not known any more. */
function revokedBefore({
  counterpartyCommitment,
  revokedSecrets,
  earlier,
}: InitialState): Result<SecretStore, Refusal> {
  const oldest = earlier?.previousCounterparty?.commitment ?? counterpartyCommitment;
  let store = emptySecretStore();
  let next = 0;
  for (const [index, { commitmentNumber, secret }] of revokedSecrets.entries()) {
    const field = `revoked_secrets[${index}]`;
    if (commitmentNumber < next || commitmentNumber >= oldest.commitmentNumber) {
      return err(refuse("malformed", "not rising, or not revoked yet", { field }));
    }
    const inserted = insertSecret(store, commitmentIndex(commitmentNumber), secret);
    if (!inserted.ok) return err(refuse("invalidSecret", "does not fit those before", { field }));
    store = inserted.value;
    next = commitmentNumber + 1;
  }
  return ok(store);
}

function withPendingFundings(
  ctx: MonitorContext,
  { pendingFundings }: InitialState,
  state: MonitorState,
): Result<MonitorState, Refusal> {
  const work = startWork(ctx, state);
  for (const [index, negotiated] of pendingFundings.entries()) {
    const taken = renegotiateFunding(work, negotiated, true);
    if (!taken.ok) return err(within(`pending_fundings[${index}]`, taken.error));
  }
  return ok(work.state);
}
