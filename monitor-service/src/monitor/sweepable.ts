/**
 * Outputs of ours that may be swept now, with all that a transaction and its signature need
 * (onchain-engine 10): functions of state alone. Which of them share a transaction is decided over all
 * channels (tx/sweep-plan.ts).
 */
import { must } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import { toLocalScript } from "@farwatch/protocol/bolt/scripts";
import type { ClaimInput } from "../tx/claim.js";
import { holderKeys } from "./commitments.js";
import type { MonitorContext } from "./context.js";
import type { SigningKey } from "./effect.js";
import type { MonitorState, OwnOutput } from "./state.js";

export interface Sweepable {
  readonly key: string;
  readonly input: ClaimInput;
  readonly matureAt: number;
  readonly signer: { readonly key: SigningKey; readonly channelKeysId: Uint8Array };
}

/** Mature and unspent in the chain we see. */
export const sweepable = (ctx: MonitorContext, state: MonitorState): readonly Sweepable[] =>
  state.ownOutputs
    .filter(({ matureAt, spend }) => spend === undefined && matureAt <= state.best.height)
    .map((own) => toSweepable(ctx, state, own));

function toSweepable(
  ctx: MonitorContext,
  { parameters }: MonitorState,
  { output: { outpoint, valueSat, output }, matureAt }: OwnOutput,
): Sweepable {
  const base = { key: outpointKey(outpoint), matureAt };
  const { channelKeysId, channelType, holderPubkeys } = parameters;
  if (output.kind === "delayedPayment") {
    const { perCommitmentPoint, contestDelay, revocationPubkey } = output;
    const { broadcasterDelayedPubkey } = holderKeys(ctx, parameters, perCommitmentPoint);
    const witnessScript = toLocalScript(revocationPubkey, contestDelay, broadcasterDelayedPubkey);
    return {
      ...base,
      input: { kind: "delayedOutput", outpoint, valueSat, contestDelay, witnessScript },
      signer: { channelKeysId, key: { kind: "delayed", perCommitmentPoint } },
    };
  }
  must(output.kind === "staticPayment" ? output : undefined, "an output of a channel's key");
  const { paymentPoint } = holderPubkeys;
  return {
    ...base,
    input: { kind: "toRemote", outpoint, valueSat, channelType, paymentPoint },
    signer: { channelKeysId, key: { kind: "payment", paymentPoint } },
  };
}
