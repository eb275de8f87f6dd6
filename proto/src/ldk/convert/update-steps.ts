/**
 * The steps of LDK's `ChannelMonitorUpdate` in our words (ldk-binary section 4). A step of an LDK that is
 * newer than this version is refused: leaving it out would leave the channel unprotected.
 */
import { assertNever } from "../../assert.js";
import { equalBytes } from "../../bytes.js";
import type { CommitmentHtlc, CounterpartyCommitment, PendingCommitment } from "../../channel.js";
import {
  atMost,
  fail,
  optional,
  present,
  readFeerate,
  readMsat,
  readSat,
  readWith,
} from "../../convert/reader.js";
import { MAX_OPAQUE_BYTES, MAX_SCRIPT_BYTES, MAX_STEPS_PER_UPDATE } from "../../convert/limits.js";
import type { SourcedHtlc } from "../commitment.js";
import { claimsOf, type LdkClaim, type LdkOutboundFailure } from "../resolution.js";
import type { LdkMonitorUpdate, LdkUpdateStep } from "../update.js";
import type { Refusal } from "../../reasons.js";
import type { Result } from "../../result.js";
import type { ClaimedHtlc, FailedHtlc, UpdateStep } from "../../update.js";
import { preimage as toPreimage, perCommitmentSecret } from "../../ids.js";
import {
  fundingOf,
  onNewFunding,
  toCommitmentNumber,
  toCounterpartyCommitment,
  toHolderCommitment,
  toHtlcs,
  withSources,
} from "./commitment.js";
import { toReason } from "./fail-reason.js";
import { toParameters, type ChannelContext } from "./parameters.js";
import { sourceKeyOf } from "./source.js";

/** LDK tells its monitor to close, not why. */
const CLOSED_BY_NODE = "ChannelForceClosed";

/**
 * The channel as it stands before the update; only a splice looks at it, because LDK lists there neither
 * sources nor dust. Who does not keep HTLCs leaves them out: those of a splice then come without sources.
 */
export interface CurrentChannel {
  readonly parameters: ChannelContext;
  readonly holder?: { readonly htlcs: readonly CommitmentHtlc[] } | undefined;
  readonly counterparty?: { readonly htlcs: readonly CommitmentHtlc[] } | undefined;
}
export type Current = () => CurrentChannel;

/** `current` is called only for a splice. */
export const toUpdateSteps = (
  update: LdkMonitorUpdate,
  current: Current,
): Result<readonly UpdateStep[], Refusal> => readWith(() => readSteps(update, current));

/** A splice goes by the newest commitments, which steps before it in the same update may bring. */
export function readSteps({ steps }: LdkMonitorUpdate, current: Current): readonly UpdateStep[] {
  if (steps.length === 0) fail("malformed", "steps", "an update has at least one step");
  if (steps.length > MAX_STEPS_PER_UPDATE) {
    fail("tooLarge", "steps", `more than ${MAX_STEPS_PER_UPDATE} steps`);
  }
  let newest: Partial<Pick<CurrentChannel, "holder" | "counterparty">> = {};
  return steps.map(({ value }) => {
    const step = toStep(value, () => ({ ...current(), ...newest }));
    if (step.kind === "latestHolderCommitment") {
      newest = { ...newest, holder: step.commitment };
    }
    if (step.kind === "latestCounterpartyCommitment") {
      newest = { ...newest, counterparty: step.commitment };
    }
    return step;
  });
}

type Step<K extends LdkUpdateStep["kind"]> = Extract<LdkUpdateStep, { kind: K }>;

function toStep(step: LdkUpdateStep, current: Current): UpdateStep {
  switch (step.kind) {
    case "latestHolderCommitmentInfo":
      return holderStep(step);
    case "latestHolderCommitment":
      return holderStepOfAll(step);
    case "latestCounterpartyCommitmentInfo":
      return {
        kind: "latestCounterpartyCommitment",
        commitment: counterpartyOf(step),
        pending: [],
      };
    case "latestCounterpartyCommitment":
      return counterpartyStepOfAll(step);
    case "paymentPreimage":
      return {
        kind: "paymentPreimage",
        preimage: toPreimage(Uint8Array.from(step.preimage)),
        paymentInfo: optional(step.paymentInfo, (bytes) =>
          atMost(bytes, MAX_OPAQUE_BYTES, "payment_info"),
        ),
      };
    case "commitmentSecret":
      return {
        kind: "commitmentSecret",
        commitmentNumber: toCommitmentNumber(step.commitmentNumber),
        secret: perCommitmentSecret(Uint8Array.from(step.secret)),
      };
    case "channelForceClosed":
      return {
        kind: "channelForceClosed",
        shouldBroadcast: step.shouldBroadcast,
        reason: CLOSED_BY_NODE,
      };
    case "shutdownScript":
      return {
        kind: "shutdownScript",
        scriptPubkey: atMost(step.scriptPubkey, MAX_SCRIPT_BYTES, "shutdown_script"),
      };
    case "renegotiatedFunding":
      return newFunding(step, current());
    case "renegotiatedFundingLocked":
      return { kind: "renegotiatedFundingLocked", fundingTxid: step.fundingTxid };
    case "releasePaymentComplete":
      return { kind: "ldkReleasePaymentComplete", sourceKey: sourceKeyOf(step.htlc) };
    case "unknown":
      return fail("unknownStep", "steps", `step ${step.variant} is not known here`);
    default:
      return assertNever(step);
  }
}

const toClaimed = ({ id, preimage, skimmedFeeMsat }: LdkClaim): ClaimedHtlc => ({
  sourceKey: sourceKeyOf(id),
  preimage: toPreimage(Uint8Array.from(preimage)),
  skimmedFeeMsat: optional(skimmedFeeMsat, (msat) => readMsat(msat, "skimmed_fee_msat")),
  attributionData: undefined,
});

const toFailed = ({ id, reason }: LdkOutboundFailure): FailedHtlc => ({
  sourceKey: sourceKeyOf(id),
  reason: toReason(reason),
});

/**
 * LDK 0.1 lists every HTLC beside the commitment, those with an output signed; 0.2 and later only dust,
 * with the sources of the others apart. A signature tells which (LDK
 * `provide_latest_holder_commitment_tx`).
 */
function holderStep(step: Step<"latestHolderCommitmentInfo">): UpdateStep {
  const listsAll = step.htlcs.some(({ signature }) => signature !== undefined);
  if (listsAll) refuseOtherHtlcs(step);
  const htlcs: readonly SourcedHtlc[] = listsAll
    ? step.htlcs
    : [
        ...withSources(step.commitment.commitment, step.nonDustSources ?? [], "holder"),
        ...step.htlcs,
      ];
  return {
    kind: "latestHolderCommitment",
    commitment: toHolderCommitment(step.commitment, toHtlcs(htlcs, "holder")),
    pending: [],
    claimed: claimsOf(step).map(toClaimed),
    failed: (step.failures ?? []).map(toFailed),
  };
}

/**
 * 0.1 lists the HTLCs that have an output twice and asserts that both lists are the same. What is signed is
 * checked with the one, a node that comes back goes by the other.
 */
function refuseOtherHtlcs({ htlcs, commitment }: Step<"latestHolderCommitmentInfo">): void {
  const { commitment: transaction, counterpartyHtlcSignatures } = commitment;
  const signed = htlcs.filter(({ signature }) => signature !== undefined);
  const isSame = signed.every(({ htlc, signature }, at) => {
    const other = transaction.htlcs[at];
    const otherSignature = counterpartyHtlcSignatures[at];
    return (
      other?.offered === htlc.offered &&
      other.amountMsat === htlc.amountMsat &&
      other.cltvExpiry === htlc.cltvExpiry &&
      other.paymentHash === htlc.paymentHash &&
      other.outputIndex === htlc.outputIndex &&
      signature !== undefined &&
      otherSignature !== undefined &&
      equalBytes(signature, otherSignature)
    );
  });
  if (!isSame || signed.length !== transaction.htlcs.length) {
    fail("malformed", "htlc_outputs", "not the HTLCs of the commitment beside it");
  }
}

function holderStepOfAll(step: Step<"latestHolderCommitment">): UpdateStep {
  const { nonDustSources, dustHtlcs } = step.htlcData;
  const [locked, ...pending] = step.commitments.map((ldk) => ({
    funding: fundingOf(ldk.commitment),
    commitment: toHolderCommitment(
      ldk,
      toHtlcs([...withSources(ldk.commitment, nonDustSources, "holder"), ...dustHtlcs], "holder"),
    ),
  }));
  return {
    kind: "latestHolderCommitment",
    commitment: present(locked, "commitment_txs").commitment,
    pending,
    claimed: claimsOf(step).map(toClaimed),
    failed: (step.failures ?? []).map(toFailed),
  };
}

const counterpartyOf = (
  step: Step<"latestCounterpartyCommitmentInfo">,
): CounterpartyCommitment => ({
  commitmentNumber: toCommitmentNumber(step.commitmentNumber),
  perCommitmentPoint: Uint8Array.from(step.perCommitmentPoint),
  feeratePerKw: readFeerate(present(step.feeratePerKw, "feerate_per_kw")),
  toBroadcasterSat: readSat(
    present(step.toBroadcasterSat, "to_broadcaster_value_sat"),
    "to_broadcaster_value_sat",
  ),
  toCountersignatorySat: readSat(
    present(step.toCountersignatorySat, "to_countersignatory_value_sat"),
    "to_countersignatory_value_sat",
  ),
  htlcs: toHtlcs(step.htlcs, "counterparty"),
  txid: step.txid,
});

function counterpartyStepOfAll(step: Step<"latestCounterpartyCommitment">): UpdateStep {
  const { nonDustSources, dustHtlcs } = step.htlcData;
  const [locked, ...pending] = step.commitments.map(
    (ldk): PendingCommitment<CounterpartyCommitment> => ({
      funding: fundingOf(ldk),
      commitment: toCounterpartyCommitment(
        ldk,
        toHtlcs(
          [...withSources(ldk, nonDustSources, "counterparty"), ...dustHtlcs],
          "counterparty",
        ),
      ),
    }),
  );
  return {
    kind: "latestCounterpartyCommitment",
    commitment: present(locked, "commitment_txs").commitment,
    pending,
  };
}

const newFunding = (
  { parameters, holderCommitment, counterpartyCommitment }: Step<"renegotiatedFunding">,
  current: CurrentChannel,
): UpdateStep => ({
  kind: "renegotiatedFunding",
  parameters: toParameters(parameters, current.parameters),
  holderCommitment: toHolderCommitment(
    holderCommitment,
    onNewFunding(current.holder?.htlcs, holderCommitment.commitment, "holder"),
  ),
  counterpartyCommitment: toCounterpartyCommitment(
    counterpartyCommitment,
    onNewFunding(current.counterparty?.htlcs, counterpartyCommitment, "counterparty"),
  ),
});
