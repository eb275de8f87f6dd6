/**
 * A revoked commitment confirmed (BOLT 5, "Revoked Transaction Close Handling"): with the secret of
 * that commitment every output of the counterparty's is ours. to_local is found by its script alone;
 * HTLC outputs by rebuilding their scripts from the stored update, so that a lost log row costs only
 * those. Second-stage transactions that confirm first are followed to their outputs (second-stage.ts).
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import { blockHeight } from "@farwatch/protocol/block";
import { equalBytes } from "@farwatch/protocol/bytes";
import type { CommitmentHtlc, CounterpartyCommitment } from "@farwatch/protocol/channel";
import type { PerCommitmentSecret } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import type { CommitmentKeys } from "@farwatch/protocol/bolt/keys";
import { p2wsh } from "@farwatch/protocol/bolt/scripts";
import { toParsedTx, type ParsedTx } from "../../tx/parsed-tx.js";
import { addClaims } from "../claims/add-claims.js";
import {
  counterpartyKeys,
  htlcScript,
  rebuildCounterparty,
  revokedSecret,
} from "../commitments.js";
import { liveSourceKeys } from "../htlcs.js";
import type { StoredCommitment } from "../input.js";
import { spendView } from "../scopes.js";
import type { ClaimInput, MonitorState, TrackedOutput } from "../state.js";
import { change, type Work } from "../work.js";
import { failAbsentHtlcs } from "./absent-htlcs.js";
import { claimSecondStages, delayedClaim, delayedOutputs } from "./second-stage.js";
import { track } from "./waiting.js";

export interface RevokedSpend {
  readonly tx: ParsedTx;
  readonly block: BlockPoint;
  readonly secret: PerCommitmentSecret;
  /** From the update log; undefined when it was not found there. */
  readonly stored: StoredCommitment | undefined;
}

export function handleRevokedCommitment(work: Work, revoked: RevokedSpend): void {
  const { tx, block, secret, stored } = revoked;
  const perCommitmentPoint = work.ctx.curve.publicKey(secret);
  const spend = must(work.state.spend, "set by the caller");
  change(work, { spend: { ...spend, perCommitmentPoint } });
  const keys = counterpartyKeys(work.ctx, work.state.parameters, perCommitmentPoint);
  const toLocal = delayedOutputs(work, keys, tx).map((output) =>
    delayedClaim(work, keys, { ...output, createdAt: block.height }, secret),
  );
  const inputs = [...toLocal, ...htlcOutputs(work, revoked, keys)];
  const htlcs = withLiveSources(work.state, stored?.htlcs ?? []);
  track(
    work,
    inputs.map((input) => trackedOutput(input, htlcs)),
  );
  addClaims(work, inputs);
  // Without the stored list nothing is known to be absent: better a late failure than a wrong one.
  if (stored !== undefined) failAbsentHtlcs(work, { txid: tx.txid, block }, stored.htlcs);
}

/**
 * The confirmed commitment is revoked only now. What we claimed there as from an honest one is claimed
 * as from a revoked one, what is spent already too: a reorganisation may give it back.
 */
export function punishConfirmed(work: Work, commitment: CounterpartyCommitment): void {
  const { spend, secrets, claims, settled, formerClaims } = work.state;
  if (spend?.txid !== commitment.txid) return;
  const secret = must(revokedSecret({ secrets }, commitment.commitmentNumber), "its secret");
  const tx = toParsedTx(rebuildCounterparty(work.ctx, spendView(work.state), commitment).tx);
  change(work, {
    spend: { ...spend, kind: "revoked", identified: true },
    claims: [],
    settled: { ...settled, claims: [] },
    formerClaims: [...formerClaims, ...claims, ...settled.claims],
  });
  handleRevokedCommitment(work, { tx, block: spend.block, secret, stored: commitment });
  claimSecondStages(work);
}

/**
 * An old commitment names HTLCs that were settled long ago; their end was told then. Only a source that
 * an un-revoked commitment still names is kept, so that taking back an old output never fails a payment
 * that succeeded.
 */
function withLiveSources(
  state: MonitorState,
  htlcs: readonly CommitmentHtlc[],
): readonly CommitmentHtlc[] {
  const live = liveSourceKeys(state);
  return htlcs.map((htlc) =>
    htlc.source !== undefined && live.has(htlc.source.sourceKey)
      ? htlc
      : { ...htlc, source: undefined },
  );
}

function trackedOutput(input: ClaimInput, htlcs: readonly CommitmentHtlc[]): TrackedOutput {
  const htlc =
    input.kind === "revokedHtlc"
      ? htlcs.find(({ outputIndex }) => outputIndex === input.outpoint.vout)
      : undefined;
  return {
    outpoint: input.outpoint,
    createdAt: input.createdAt,
    role:
      htlc === undefined
        ? { kind: "revoked", worthSat: input.valueSat, parent: undefined }
        : { kind: "htlc", htlc },
  };
}

function htlcOutputs(
  work: Work,
  { tx, block, secret, stored }: RevokedSpend,
  keys: CommitmentKeys,
): readonly ClaimInput[] {
  return (stored?.htlcs ?? []).flatMap((htlc): readonly ClaimInput[] => {
    const script = htlcScript(work.state.parameters, keys, htlc);
    const output = htlc.outputIndex === undefined ? undefined : tx.outputs[htlc.outputIndex];
    if (output === undefined || htlc.outputIndex === undefined) return [];
    if (!equalBytes(output.scriptPubkey, p2wsh(script))) return [];
    return [
      {
        kind: "revokedHtlc",
        outpoint: { txid: tx.txid, vout: htlc.outputIndex },
        valueSat: output.valueSat,
        script,
        secret,
        revocationPubkey: keys.revocationPubkey,
        offered: htlc.offered,
        createdAt: block.height,
        contestedFrom: contestedFrom(htlc, block),
        notBefore: blockHeight(0),
        deadline: undefined, // spent by the cheater it goes to a second stage that is ours too
      },
    ];
  });
}

/** The cheater takes back what it offered after expiry; what it received it may take with a preimage now. */
const contestedFrom = (htlc: CommitmentHtlc, block: BlockPoint) =>
  htlc.offered ? htlc.cltvExpiry : block.height;
