/** A claim's inputs as tx/ wants them: which are still unspent, when they may be spent, with whom. */
import { assertNever } from "@farwatch/protocol/assert";
import type { ChannelType, ConstantsProfile } from "@farwatch/protocol/channel";
import { outpointKey } from "@farwatch/protocol/ids";
import type { ClaimInput as TxInput } from "../../tx/claim.js";
import type { PackageInput } from "../../tx/package.js";
import { minCltvExpiryDelta } from "../constants.js";
import type { SigningKey } from "../effect.js";
import { isSpent } from "../htlcs.js";
import type { Claim, ClaimInput, MonitorState } from "../state.js";

export const keyOfInput = ({ outpoint }: ClaimInput): string => outpointKey(outpoint);

/** Inputs whose output nobody has spent in the chain we see. */
export const liveInputs = (state: MonitorState, { inputs }: Claim): readonly ClaimInput[] =>
  inputs.filter(({ outpoint }) => !isSpent(state, outpoint));

/** Keys of the others, in the order of the inputs. */
export const spentInputs = (state: MonitorState, { inputs }: Claim): readonly string[] =>
  inputs.filter(({ outpoint }) => isSpent(state, outpoint)).map(keyOfInput);

export const earliestHeight = (inputs: readonly ClaimInput[]): number =>
  Math.max(0, ...inputs.map(({ notBefore }) => notBefore));

/** Height below which all should be confirmed; infinite when time costs nothing. */
export const deadlineOf = (inputs: readonly ClaimInput[]): number =>
  Math.min(Number.POSITIVE_INFINITY, ...inputs.map(({ deadline }) => deadline ?? Infinity));

/** Height that decides how often the fee rises (onchain-engine 9.5). */
export const timerTarget = (profile: ConstantsProfile, inputs: readonly ClaimInput[]): number =>
  Math.min(Number.POSITIVE_INFINITY, ...inputs.map((input) => timerTargetOf(profile, input)));

function timerTargetOf(profile: ConstantsProfile, input: ClaimInput): number {
  switch (input.kind) {
    case "revokedToLocal":
    case "revokedSecondStage":
    case "counterpartyOffered":
      return input.contestedFrom;
    case "counterpartyReceived":
      // Also an own payment's: nobody upstream waits for it, but the money is out until then.
      return Math.min(
        input.notBefore + minCltvExpiryDelta(profile),
        input.deadline ?? Number.POSITIVE_INFINITY,
      );
    case "revokedHtlc":
      // Whoever spends it, the cheater's second-stage output is ours to take for to_self_delay.
      return Number.POSITIVE_INFINITY;
    default:
      return assertNever(input);
  }
}

/** What decides which others it may share a claim with. */
export function packageInput(input: ClaimInput): PackageInput {
  const { notBefore, contestedFrom, valueSat, deadline } = input;
  return {
    tree: isRevoked(input) ? "revoked" : "counterparty",
    notBefore,
    pinnable:
      input.kind === "counterpartyReceived" || (input.kind === "revokedHtlc" && !input.offered),
    contestedFrom,
    hasDeadline: deadline !== undefined,
    valueSat,
  };
}

export const isRevoked = ({ kind }: ClaimInput): boolean =>
  kind === "revokedToLocal" || kind === "revokedSecondStage" || kind === "revokedHtlc";

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
