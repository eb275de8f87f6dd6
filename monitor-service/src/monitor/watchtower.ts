/**
 * What an external watchtower needs (onchain-engine 15; LDK `counterparty_commitment_txs_from_update`,
 * `build_to_local_justice_tx`, `sign_to_local_justice_tx`): the counterparty's commitments as they would
 * appear on chain, and a justice transaction for to_local of one that is revoked. Nothing here is state.
 */
import { sat, type FeeratePerKw, type Sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import { txid as toTxid, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { toLocalScript } from "@farwatch/protocol/bolt/scripts";
import { REVOKED_TO_LOCAL_WITNESS } from "@farwatch/protocol/bolt/weights";
import { buildClaimTx, inputSighash, inputWitness, type ClaimInput } from "../tx/claim.js";
import { dustLimitSat } from "../tx/fee.js";
import { counterpartyKeys, rebuildCounterparty, revokedSecret } from "./commitments.js";
import type { MonitorContext } from "./context.js";
import type { SigningTask } from "./effect.js";
import { knownScopes } from "./scopes.js";
import type { FundingScope, MonitorState } from "./state.js";

/** A commitment of the counterparty as a transaction. */
export interface CounterpartyTx {
  readonly commitment: CounterpartyCommitment;
  readonly scope: FundingScope;
  /** Serialized, without witness. */
  readonly unsignedTx: Uint8Array;
  /** The counterparty's own delayed output. */
  readonly toLocal: { readonly vout: number; readonly valueSat: Sat } | undefined;
  readonly revoked: boolean;
}

/** undefined: on no funding that the channel may still have, so it can never confirm. */
export function counterpartyTx(
  ctx: MonitorContext,
  state: MonitorState,
  commitment: CounterpartyCommitment,
): CounterpartyTx | undefined {
  for (const scope of knownScopes(state)) {
    const basis = { parameters: scope.parameters, obscureFactor: state.obscureFactor };
    const { tx, txid, toLocalIndex: vout } = rebuildCounterparty(ctx, basis, commitment);
    if (txid !== commitment.txid) continue;
    const revoked = revokedSecret(state, commitment.commitmentNumber) !== undefined;
    const toLocal =
      vout === undefined
        ? undefined
        : { vout, valueSat: sat(must(tx.outs[vout], "to_local").value) };
    return { commitment, scope, unsignedTx: Uint8Array.from(tx.toBuffer()), toLocal, revoked };
  }
  return undefined;
}

/** Counterparty commitments in memory: current and previous, on every funding. */
export const counterpartyCommitmentsInState = (
  state: MonitorState,
): readonly CounterpartyCommitment[] =>
  knownScopes(state)
    .flatMap(({ counterparty, counterpartyPrevious }) => [counterparty, counterpartyPrevious])
    .filter((commitment) => commitment !== undefined);

export interface JusticeRequest {
  readonly feeratePerKw: FeeratePerKw;
  readonly destinationScript: Uint8Array;
}

export interface Justice {
  readonly txid: Txid;
  readonly spends: Outpoint;
  readonly feeSat: Sat;
  readonly valueSat: Sat;
  readonly task: SigningTask;
  /** The transaction with the signature that answers `task`. */
  readonly finish: (signature: Uint8Array) => Uint8Array;
}

/**
 * Takes to_local of a revoked commitment. Fee: weight without witness, plus the longest witness, times
 * the feerate, rounded up. Errors: notRevoked, nothingToClaim.
 */
export function buildJustice(
  ctx: MonitorContext,
  state: MonitorState,
  { commitment, scope, toLocal }: CounterpartyTx,
  { feeratePerKw, destinationScript }: JusticeRequest,
): Result<Justice, Refusal> {
  const secret = revokedSecret(state, commitment.commitmentNumber);
  const details = { txid: commitment.txid };
  if (secret === undefined) {
    return err(refuse("notRevoked", "the counterparty may still broadcast it rightly", details));
  }
  if (toLocal === undefined) {
    return err(refuse("nothingToClaim", "the commitment has no to_local output", details));
  }
  const input: ClaimInput = {
    kind: "revokedToLocal",
    outpoint: { txid: commitment.txid, vout: toLocal.vout },
    valueSat: toLocal.valueSat,
    witnessScript: revokedScript(ctx, scope, ctx.curve.publicKey(secret)),
  };
  const weight = buildClaimTx([input], destinationScript, sat(0), 0).weight();
  const feeSat = feeRoundedUp(feeratePerKw, weight + REVOKED_TO_LOCAL_WITNESS);
  if (toLocal.valueSat - feeSat < dustLimitSat(destinationScript)) {
    const fee = { ...details, fee_sat: String(feeSat) };
    return err(refuse("nothingToClaim", "the fee would take the output", fee));
  }
  const tx = buildClaimTx([input], destinationScript, feeSat, 0);
  return ok({
    txid: toTxid(tx.getId()),
    spends: input.outpoint,
    feeSat,
    valueSat: sat(toLocal.valueSat - feeSat),
    task: {
      key: { kind: "revocation", perCommitmentSecret: secret },
      digest: inputSighash(tx, 0, input),
    },
    finish: (signature) => {
      tx.setWitness(0, inputWitness(input, signature));
      return Uint8Array.from(tx.toBuffer());
    },
  });
}

function revokedScript(
  ctx: MonitorContext,
  { parameters }: FundingScope,
  perCommitmentPoint: Uint8Array,
): Uint8Array {
  const keys = counterpartyKeys(ctx, parameters, perCommitmentPoint);
  return toLocalScript(
    keys.revocationPubkey,
    parameters.holderSelectedContestDelay,
    keys.broadcasterDelayedPubkey,
  );
}

const PER_KW = 1000n;

const feeRoundedUp = (feeratePerKw: FeeratePerKw, weight: number): Sat =>
  sat((BigInt(feeratePerKw) * BigInt(weight) + PER_KW - 1n) / PER_KW);
