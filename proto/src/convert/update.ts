/** The steps of a ChannelMonitorUpdate <-> the payload bytes that are signed (payload_type 1). */
import { assertNever } from "../assert.js";
import { fromHex } from "../bytes.js";
import {
  perCommitmentSecret,
  preimage,
  sourceKey,
  txidFromInternal,
  txidToInternal,
} from "../ids.js";
import type { Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import type { ClaimedHtlc, UpdateStep } from "../update.js";
import { ChannelMonitorUpdate } from "../../gen/monitor/v1/update.js";
import type * as wire from "../../gen/monitor/v1/update.js";
import {
  readCounterparty,
  readHolder,
  readNumber,
  writeCounterparty,
  writeHolder,
} from "./commitment.js";
import { readCommitments, writeCommitments } from "./commitments-on-fundings.js";
import { readRenegotiatedFunding, writeRenegotiatedFunding } from "./funding.js";
import { readFailed, writeFailed } from "./htlc-failure.js";
import { readPenalty, writePenalty } from "./penalty-only.js";
import {
  MAX_OPAQUE_BYTES,
  MAX_REASON_BYTES,
  MAX_SCRIPT_BYTES,
  MAX_STEPS_PER_UPDATE,
  MAX_TEXT_BYTES,
} from "./limits.js";
import {
  atMost,
  fail,
  fixed,
  fixedHex,
  optional,
  parseWith,
  readMsat,
  textUpTo,
} from "./reader.js";

/** Errors: malformed, unknownStep, wrongLength, rangeExceeded, tooLarge. */
export const parseUpdatePayload = (bytes: Uint8Array): Result<readonly UpdateStep[], Refusal> =>
  parseWith(ChannelMonitorUpdate, bytes, ({ steps }) => {
    if (steps.length === 0) fail("malformed", "steps", "an update has at least one step");
    if (steps.length > MAX_STEPS_PER_UPDATE) {
      fail("tooLarge", "steps", `more than ${MAX_STEPS_PER_UPDATE} steps`);
    }
    return steps.map((step, index) => readStep(step, `steps[${index}]`));
  });

export const encodeUpdatePayload = (steps: readonly UpdateStep[]): Uint8Array =>
  ChannelMonitorUpdate.encode({ steps: steps.map((step) => ({ step: writeStep(step) })) }).finish();

function readStep({ step }: wire.ChannelMonitorUpdateStep, field: string): UpdateStep {
  switch (step?.$case) {
    case undefined:
      return fail("unknownStep", field, "unset, or a step this version does not know");
    case "latestHolderCommitment":
      return readHolderStep(step.value, field);
    case "latestCounterpartyCommitment":
      return {
        kind: "latestCounterpartyCommitment",
        ...readCommitments(readCounterparty, step.value.commitments, `${field}.commitments`),
      };
    case "paymentPreimage":
      return {
        kind: "paymentPreimage",
        preimage: preimage(fixed(step.value.preimage, 32, `${field}.preimage`)),
        paymentInfo: optional(step.value.paymentInfo, (bytes) =>
          atMost(bytes, MAX_OPAQUE_BYTES, `${field}.payment_info`),
        ),
      };
    case "commitmentSecret":
      return {
        kind: "commitmentSecret",
        commitmentNumber: readNumber(step.value.commitmentNumber, `${field}.commitment_number`),
        secret: perCommitmentSecret(fixed(step.value.secret, 32, `${field}.secret`)),
      };
    case "channelForceClosed":
      return {
        kind: "channelForceClosed",
        shouldBroadcast: step.value.shouldBroadcast,
        reason: textUpTo(step.value.reason, MAX_TEXT_BYTES, `${field}.reason`),
      };
    case "shutdownScript": {
      const at = `${field}.script_pubkey`;
      const scriptPubkey = atMost(step.value.scriptPubkey, MAX_SCRIPT_BYTES, at);
      return { kind: "shutdownScript", scriptPubkey };
    }
    case "renegotiatedFunding":
      return readRenegotiatedFunding(step.value, field);
    case "renegotiatedFundingLocked": {
      const txid = fixed(step.value.fundingTxid, 32, `${field}.funding_txid`);
      return { kind: "renegotiatedFundingLocked", fundingTxid: txidFromInternal(txid) };
    }
    case "ldkReleasePaymentComplete": {
      const key = fixedHex(step.value.sourceKey, 32, `${field}.source_key`);
      return { kind: "ldkReleasePaymentComplete", sourceKey: sourceKey(key) };
    }
    case "penaltyTransaction":
      return readPenalty(step.value, field);
    default:
      return assertNever(step);
  }
}

function readHolderStep(message: wire.LatestHolderCommitment, field: string): UpdateStep {
  return {
    kind: "latestHolderCommitment",
    ...readCommitments(readHolder, message.commitments, `${field}.commitments`),
    claimed: message.claimedHtlcs.map((entry, index) =>
      readClaimed(entry, `${field}.claimed_htlcs[${index}]`),
    ),
    failed: message.failedHtlcs.map((entry, index) =>
      readFailed(entry, `${field}.failed_htlcs[${index}]`),
    ),
  };
}

const readClaimed = (entry: wire.ClaimedHtlc, field: string): ClaimedHtlc => ({
  sourceKey: sourceKey(fixedHex(entry.sourceKey, 32, `${field}.source_key`)),
  preimage: preimage(fixed(entry.preimage, 32, `${field}.preimage`)),
  skimmedFeeMsat: optional(entry.skimmedFeeMsat, (value) =>
    readMsat(value, `${field}.skimmed_fee_msat`),
  ),
  attributionData: optional(entry.attributionData, (bytes) =>
    atMost(bytes, MAX_REASON_BYTES, `${field}.attribution_data`),
  ),
});

function writeStep(step: UpdateStep): wire.ChannelMonitorUpdateStep["step"] {
  switch (step.kind) {
    case "latestHolderCommitment":
      return {
        $case: "latestHolderCommitment",
        value: {
          commitments: writeCommitments(writeHolder, step),
          claimedHtlcs: step.claimed.map(writeClaimed),
          failedHtlcs: step.failed.map(writeFailed),
        },
      };
    case "latestCounterpartyCommitment":
      return {
        $case: "latestCounterpartyCommitment",
        value: { commitments: writeCommitments(writeCounterparty, step) },
      };
    case "paymentPreimage":
      return {
        $case: "paymentPreimage",
        value: {
          preimage: Buffer.from(step.preimage),
          paymentInfo: optional(step.paymentInfo, (bytes) => Buffer.from(bytes)),
        },
      };
    case "commitmentSecret":
      return {
        $case: "commitmentSecret",
        value: {
          commitmentNumber: BigInt(step.commitmentNumber),
          secret: Buffer.from(step.secret),
        },
      };
    case "channelForceClosed":
      return {
        $case: "channelForceClosed",
        value: { shouldBroadcast: step.shouldBroadcast, reason: step.reason },
      };
    case "shutdownScript":
      return {
        $case: "shutdownScript",
        value: { scriptPubkey: Buffer.from(step.scriptPubkey) },
      };
    case "renegotiatedFunding":
      return { $case: "renegotiatedFunding", value: writeRenegotiatedFunding(step) };
    case "renegotiatedFundingLocked":
      return {
        $case: "renegotiatedFundingLocked",
        value: { fundingTxid: Buffer.from(txidToInternal(step.fundingTxid)) },
      };
    case "ldkReleasePaymentComplete":
      return {
        $case: "ldkReleasePaymentComplete",
        value: { sourceKey: Buffer.from(fromHex(step.sourceKey)) },
      };
    case "penaltyTransaction":
      return { $case: "penaltyTransaction", value: writePenalty(step) };
    default:
      return assertNever(step);
  }
}

const writeClaimed = (entry: ClaimedHtlc): wire.ClaimedHtlc => ({
  sourceKey: Buffer.from(fromHex(entry.sourceKey)),
  preimage: Buffer.from(entry.preimage),
  skimmedFeeMsat: entry.skimmedFeeMsat,
  attributionData: optional(entry.attributionData, (bytes) => Buffer.from(bytes)),
});
