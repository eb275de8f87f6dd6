/** A claim's inputs as tx/claim.ts wants them: which are still unspent, when they may be spent. */
import { assertNever } from "@farwatch/protocol/assert";
import type { ChannelType } from "@farwatch/protocol/channel";
import { outpointKey } from "@farwatch/protocol/ids";
import type { ClaimInput as TxInput } from "../../tx/claim.js";
import { MIN_CLTV_EXPIRY_DELTA } from "../constants.js";
import type { SigningKey } from "../effect.js";
import type { Claim, ClaimInput, MonitorState } from "../state.js";

/** Inputs whose output nobody has spent in the chain we see. */
export const liveInputs = (
  { outputSpends }: Pick<MonitorState, "outputSpends">,
  claim: Claim,
): readonly ClaimInput[] =>
  claim.inputs.filter(({ outpoint }) => !outputSpends.has(outpointKey(outpoint)));

export const earliestHeight = (inputs: readonly ClaimInput[]): number =>
  Math.max(0, ...inputs.map(({ notBefore }) => notBefore));

/**
 * Height by which a claim should confirm; decides how often its fee rises (onchain-engine 9.5).
 * Being contested from the start is no deadline: a fee that rises every block burns what it saves.
 */
export const bumpDeadline = (inputs: readonly ClaimInput[]): number =>
  Math.min(Number.MAX_SAFE_INTEGER, ...inputs.map(deadlineOf));

function deadlineOf(input: ClaimInput): number {
  switch (input.kind) {
    case "revokedToLocal":
    case "revokedSecondStage":
    case "counterpartyOffered":
      return input.contestedFrom;
    case "counterpartyReceived":
      // The inbound HTLC of a forward expires so much later: until then the refund is in time.
      return input.notBefore + MIN_CLTV_EXPIRY_DELTA;
    case "revokedHtlc":
      // Whoever spends it, the cheater's second-stage output is ours to take for to_self_delay.
      return Number.MAX_SAFE_INTEGER;
    default:
      return assertNever(input);
  }
}

export function toTxInput(channelType: ChannelType, input: ClaimInput): TxInput {
  const base = {
    outpoint: input.outpoint,
    valueSat: input.valueSat,
    witnessScript: input.script,
  };
  switch (input.kind) {
    case "revokedToLocal":
      return { ...base, kind: "revokedToLocal" };
    case "revokedSecondStage":
      return { ...base, kind: "revokedSecondStage" };
    case "revokedHtlc":
      return { ...base, kind: "revokedHtlc", channelType, offered: input.offered };
    case "counterpartyOffered":
      return { ...base, kind: "counterpartyOfferedPreimage", channelType };
    case "counterpartyReceived":
      return {
        ...base,
        kind: "counterpartyReceivedTimeout",
        channelType,
        cltvExpiry: input.notBefore,
      };
    default:
      return assertNever(input);
  }
}

export function signingKey(input: ClaimInput): SigningKey {
  switch (input.kind) {
    case "revokedToLocal":
    case "revokedSecondStage":
    case "revokedHtlc":
      return { kind: "revocation", perCommitmentSecret: input.secret };
    case "counterpartyOffered":
    case "counterpartyReceived":
      return { kind: "htlc", perCommitmentPoint: input.perCommitmentPoint };
    default:
      return assertNever(input);
  }
}
