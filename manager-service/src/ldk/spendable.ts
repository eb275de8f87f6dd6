/**
 * SpendableOutputs as the event LDK's own ChannelMonitor would give, byte for byte: KeysManager spends its
 * descriptors, and OutputSweeper takes them.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { SpendableOutput } from "@farwatch/protocol/event";
import type { ChannelFacts } from "./channel-facts.js";
import { okOf, type Ldk, type LdkModule } from "./ldk-module.js";
import { channelIdOf, outPointOf } from "./monitor-events.js";

export const spendableOutputsEvent = (
  ldk: LdkModule,
  facts: ChannelFacts,
  outputs: readonly SpendableOutput[],
): Ldk.Event =>
  ldk.Event.constructor_spendable_outputs(
    outputs.map((output) => descriptor(ldk, facts, output)),
    channelIdOf(ldk, facts.channelId),
  );

export function parametersOf(
  ldk: LdkModule,
  { parameters }: ChannelFacts,
): Ldk.ChannelTransactionParameters {
  const read = ldk.ChannelTransactionParameters.constructor_read(parameters);
  const Ok = ldk.Result_ChannelTransactionParametersDecodeErrorZ_OK;
  return okOf(read, Ok, "ChannelTransactionParameters").res;
}

function descriptor(
  ldk: LdkModule,
  facts: ChannelFacts,
  { outpoint, valueSat, scriptPubkey, output }: SpendableOutput,
): Ldk.SpendableOutputDescriptor {
  const point = outPointOf(ldk, outpoint);
  const txOut = ldk.TxOut.constructor_new(valueSat, scriptPubkey);
  const Descriptor = ldk.SpendableOutputDescriptor;
  switch (output.kind) {
    case "static":
      return Descriptor.constructor_static_output(point, txOut, facts.keysId);
    case "delayedPayment":
      return Descriptor.constructor_delayed_payment_output(
        ldk.DelayedPaymentOutputDescriptor.constructor_new(
          point,
          output.perCommitmentPoint,
          output.contestDelay,
          txOut,
          ldk.RevocationKey.constructor_new(output.revocationPubkey),
          output.channelKeysId,
          facts.valueSat,
          parametersOf(ldk, facts),
        ),
      );
    case "staticPayment":
      return Descriptor.constructor_static_payment_output(
        ldk.StaticPaymentOutputDescriptor.constructor_new(
          point,
          txOut,
          output.channelKeysId,
          facts.valueSat,
          parametersOf(ldk, facts),
        ),
      );
    default:
      return assertNever(output);
  }
}
