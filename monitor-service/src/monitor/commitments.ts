/**
 * Rebuilds the transactions of both sides' commitments from what updates say about them, and checks
 * what a remote monitor must check itself: the rebuilt txid, the counterparty's commitment signature
 * and every HTLC signature (BOLT 2, commitment_signed; onchain-engine 4.2).
 */
import type {
  ChannelParameters,
  CommitmentHtlc,
  CounterpartyCommitment,
  HolderCommitment,
} from "@farwatch/protocol/channel";
import { must } from "@farwatch/protocol/assert";
import {
  perCommitmentSecret,
  type CommitmentNumber,
  type PerCommitmentSecret,
} from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import { commitmentKeys, type CommitmentKeys } from "@farwatch/protocol/bolt/keys";
import { commitmentSighash, rebuildCommitment } from "../bolt/commitment-tx.js";
import {
  fundingScript,
  offeredHtlcScript,
  receivedHtlcScript,
} from "@farwatch/protocol/bolt/scripts";
import { msatToSatFloor } from "@farwatch/protocol/amount";
import { buildHtlcTx, htlcTxOutputSat, htlcTxSighash } from "../tx/second-stage.js";
import { commitmentIndex } from "@farwatch/protocol/bolt/commitment-number";
import { deriveSecret } from "../bolt/per-commitment-secrets.js";
import type { MonitorContext } from "./context.js";
import type { MonitorState } from "./state.js";

/** Identity of the channel that every rebuild needs. */
export interface ChannelBasis {
  readonly parameters: ChannelParameters;
  readonly obscureFactor: bigint;
}

export const holderKeys = (
  ctx: MonitorContext,
  parameters: ChannelParameters,
  perCommitmentPoint: Uint8Array,
): CommitmentKeys =>
  commitmentKeys(
    ctx.curve,
    parameters.holderPubkeys,
    parameters.counterpartyPubkeys,
    perCommitmentPoint,
  );

export const counterpartyKeys = (
  ctx: MonitorContext,
  parameters: ChannelParameters,
  perCommitmentPoint: Uint8Array,
): CommitmentKeys =>
  commitmentKeys(
    ctx.curve,
    parameters.counterpartyPubkeys,
    parameters.holderPubkeys,
    perCommitmentPoint,
  );

/** `keys` may be given when they were derived before: deriving them is most of the work. */
export function rebuildHolder(
  ctx: MonitorContext,
  basis: ChannelBasis,
  commitment: HolderCommitment,
  keys = holderKeys(ctx, basis.parameters, commitment.perCommitmentPoint),
) {
  const { parameters, obscureFactor } = basis;
  return rebuildCommitment(ctx.curve, {
    channelType: parameters.channelType,
    fundingOutpoint: parameters.funding,
    fundingValueSat: parameters.channelValueSat,
    commitmentNumber: commitment.commitmentNumber,
    obscureFactor,
    keys,
    broadcasterFundingPubkey: parameters.holderPubkeys.fundingPubkey,
    countersignatoryFundingPubkey: parameters.counterpartyPubkeys.fundingPubkey,
    contestDelay: parameters.counterpartySelectedContestDelay,
    toBroadcasterSat: commitment.toLocalSat,
    toCountersignatorySat: commitment.toRemoteSat,
    htlcs: commitment.htlcs,
  });
}

export function rebuildCounterparty(
  ctx: MonitorContext,
  basis: ChannelBasis,
  commitment: CounterpartyCommitment,
) {
  const { parameters, obscureFactor } = basis;
  return rebuildCommitment(ctx.curve, {
    channelType: parameters.channelType,
    fundingOutpoint: parameters.funding,
    fundingValueSat: parameters.channelValueSat,
    commitmentNumber: commitment.commitmentNumber,
    obscureFactor,
    keys: counterpartyKeys(ctx, parameters, commitment.perCommitmentPoint),
    broadcasterFundingPubkey: parameters.counterpartyPubkeys.fundingPubkey,
    countersignatoryFundingPubkey: parameters.holderPubkeys.fundingPubkey,
    contestDelay: parameters.holderSelectedContestDelay,
    toBroadcasterSat: commitment.toBroadcasterSat,
    toCountersignatorySat: commitment.toCountersignatorySat,
    htlcs: commitment.htlcs,
  });
}

export const channelFundingScript = (parameters: ChannelParameters): Uint8Array =>
  fundingScript(
    parameters.holderPubkeys.fundingPubkey,
    parameters.counterpartyPubkeys.fundingPubkey,
  );

export const htlcScript = (
  parameters: ChannelParameters,
  keys: CommitmentKeys,
  htlc: CommitmentHtlc,
): Uint8Array =>
  htlc.offered
    ? offeredHtlcScript(parameters.channelType, keys, htlc.paymentHash)
    : receivedHtlcScript(parameters.channelType, keys, htlc.paymentHash, htlc.cltvExpiry);

/** Non-dust HTLCs in the order of their outputs, the order of the HTLC signatures. */
export const nonDustByOutput = (htlcs: readonly CommitmentHtlc[]) =>
  htlcs
    .flatMap((htlc) =>
      htlc.outputIndex === undefined ? [] : [{ htlc, outputIndex: htlc.outputIndex }],
    )
    .sort((a, b) => a.outputIndex - b.outputIndex);

/** The unsigned second-stage transaction of one HTLC of our commitment, with what it signs. */
export function holderHtlcTx(
  ctx: MonitorContext,
  parameters: ChannelParameters,
  commitment: HolderCommitment,
  htlc: CommitmentHtlc,
  outputIndex: number,
  keys = holderKeys(ctx, parameters, commitment.perCommitmentPoint),
) {
  const script = htlcScript(parameters, keys, htlc);
  const tx = buildHtlcTx({
    channelType: parameters.channelType,
    commitmentTxid: commitment.txid,
    outputIndex,
    htlc,
    feeratePerKw: commitment.feeratePerKw,
    contestDelay: parameters.counterpartySelectedContestDelay,
    revocationPubkey: keys.revocationPubkey,
    delayedPubkey: keys.broadcasterDelayedPubkey,
  });
  const amountSat = msatToSatFloor(htlc.amountMsat);
  const digest = (sighashType: number): Uint8Array =>
    htlcTxSighash(tx, script, amountSat, sighashType);
  return { tx, script, keys, digest };
}

/** Secret of a revoked counterparty commitment; undefined while it is not revoked. */
export function revokedSecret(
  { secrets }: Pick<MonitorState, "secrets">,
  number: CommitmentNumber,
): PerCommitmentSecret | undefined {
  const secret = deriveSecret(secrets, commitmentIndex(number));
  return secret === undefined ? undefined : perCommitmentSecret(secret);
}

/** Each HTLC must stand at the output index it names; a trimmed one must name none. */
const indicesMatch = (
  built: { readonly htlcOutputIndex: readonly (number | undefined)[] },
  htlcs: readonly CommitmentHtlc[],
): boolean =>
  htlcs.every(({ outputIndex }, position) => built.htlcOutputIndex[position] === outputIndex);

const wrongIndex = (): Refusal =>
  refuse("malformed", "an HTLC does not stand at the output index it names", {
    field: "output_index",
  });

const wrongTxid = (): Refusal =>
  refuse("malformed", "the commitment rebuilt from its fields has another txid", {
    field: "txid",
  });

/** Outputs may not exceed the channel value; the difference is the fee. */
function checkTotal(
  basis: ChannelBasis,
  outputs: readonly { value: bigint }[],
): Refusal | undefined {
  const total = outputs.reduce((sum, output) => sum + output.value, 0n);
  return total > basis.parameters.channelValueSat
    ? refuse("malformed", "the commitment pays out more than the channel holds", {
        field: "to_local_sat",
      })
    : undefined;
}

/** What the channel type allows in every commitment: its feerate and how many HTLCs a side offers. */
function checkAgainstType(
  { parameters }: ChannelBasis,
  { feeratePerKw, htlcs }: Pick<HolderCommitment, "feeratePerKw" | "htlcs">,
): Refusal | undefined {
  const { channelType } = parameters;
  const { commitmentPaysFee, maxHtlcsPerSide } = channelTypeRules(channelType);
  if (!commitmentPaysFee && feeratePerKw !== 0) {
    return refuse("malformed", `commitments of ${channelType} have feerate 0`, {
      field: "feerate_per_kw",
    });
  }
  const offered = htlcs.filter((htlc) => htlc.offered).length;
  return Math.max(offered, htlcs.length - offered) > maxHtlcsPerSide
    ? refuse("tooLarge", `more HTLCs in one direction than ${channelType} allows`, {
        field: "htlcs",
        limit: String(maxHtlcsPerSide),
      })
    : undefined;
}

export function checkCounterpartyCommitment(
  ctx: MonitorContext,
  basis: ChannelBasis,
  commitment: CounterpartyCommitment,
): Result<void, Refusal> {
  if (!ctx.curve.isPoint(commitment.perCommitmentPoint)) return err(badPoint());
  const unfit = checkAgainstType(basis, commitment);
  if (unfit !== undefined) return err(unfit);
  const built = rebuildCounterparty(ctx, basis, commitment);
  if (built.txid !== commitment.txid) return err(wrongTxid());
  if (!indicesMatch(built, commitment.htlcs)) return err(wrongIndex());
  const excess = checkTotal(basis, built.tx.outs);
  return excess === undefined ? ok(undefined) : err(excess);
}

const badPoint = (): Refusal =>
  refuse("malformed", "not a point on the curve", { field: "per_commitment_point" });

export function checkHolderCommitment(
  ctx: MonitorContext,
  basis: ChannelBasis,
  commitment: HolderCommitment,
): Result<void, Refusal> {
  const { parameters } = basis;
  if (!ctx.curve.isPoint(commitment.perCommitmentPoint)) return err(badPoint());
  const unfit = checkAgainstType(basis, commitment);
  if (unfit !== undefined) return err(unfit);
  const keys = holderKeys(ctx, parameters, commitment.perCommitmentPoint);
  const built = rebuildHolder(ctx, basis, commitment, keys);
  if (built.txid !== commitment.txid) return err(wrongTxid());
  if (!indicesMatch(built, commitment.htlcs)) return err(wrongIndex());
  const excess = checkTotal(basis, built.tx.outs);
  if (excess !== undefined) return err(excess);
  const digest = commitmentSighash(
    built.tx,
    channelFundingScript(parameters),
    parameters.channelValueSat,
  );
  const { fundingPubkey } = parameters.counterpartyPubkeys;
  if (!ctx.curve.ecdsaVerify(commitment.counterpartySignature, digest, fundingPubkey)) {
    return err(badSignature("counterparty_signature"));
  }
  return checkHtlcSignatures(ctx, parameters, commitment, keys);
}

function checkHtlcSignatures(
  ctx: MonitorContext,
  parameters: ChannelParameters,
  commitment: HolderCommitment,
  keys: CommitmentKeys,
): Result<void, Refusal> {
  const nonDust = nonDustByOutput(commitment.htlcs);
  const signatures = commitment.counterpartyHtlcSignatures;
  if (nonDust.length !== signatures.length) {
    return err(badSignature("counterparty_htlc_signatures"));
  }
  const { counterpartyHtlcSighash } = channelTypeRules(parameters.channelType);
  for (const [position, { htlc, outputIndex }] of nonDust.entries()) {
    if (htlcTxOutputSat(parameters.channelType, htlc, commitment.feeratePerKw) === undefined) {
      return err(refuse("malformed", "an HTLC cannot pay its fee", { field: "amount_msat" }));
    }
    const { digest } = holderHtlcTx(ctx, parameters, commitment, htlc, outputIndex, keys);
    const signature = must(signatures[position], "counted above");
    const key = keys.countersignatoryHtlcPubkey;
    if (!ctx.curve.ecdsaVerify(signature, digest(counterpartyHtlcSighash), key)) {
      return err(badSignature(`counterparty_htlc_signatures[${position}]`));
    }
  }
  return ok(undefined);
}

const badSignature = (field: string): Refusal =>
  refuse("invalidCommitmentSignature", "the counterparty's signature does not verify", { field });
