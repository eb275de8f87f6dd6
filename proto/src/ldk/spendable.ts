/**
 * `SpendableOutputDescriptor`: outputs that are ours alone (LDK sign/mod.rs; ldk-binary section 6.4), and
 * the events a monitor keeps until its node takes them (section 6.5).
 */
import { channelTransactionParameters } from "./commitment.js";
import type { Codec, Decoded } from "./codec.js";
import { counted, rest, withRaw } from "./collections.js";
import { strictEnum, structVariant, upgradableEnum, variant } from "./enums.js";
import { bytes32, channelId, outpoint16, publicKey, u16, u64 } from "./primitives.js";
import { optional, required, tlvStruct } from "./tlv.js";
import { txOut } from "./transaction.js";

const delayedPayment = tlvStruct("delayedPayment", {
  outpoint: required(0, outpoint16),
  perCommitmentPoint: required(2, publicKey),
  toSelfDelay: required(4, u16),
  output: required(6, txOut),
  revocationPubkey: required(8, publicKey),
  channelKeysId: required(10, bytes32),
  channelValueSat: required(12, u64),
  parameters: optional(13, channelTransactionParameters),
});

const staticPayment = tlvStruct("staticPayment", {
  outpoint: required(0, outpoint16),
  output: required(2, txOut),
  channelKeysId: required(4, bytes32),
  channelValueSat: required(6, u64),
  parameters: optional(7, channelTransactionParameters),
});

const descriptor = strictEnum({
  0: structVariant("staticOutput", {
    outpoint: required(0, outpoint16),
    channelKeysId: optional(1, bytes32),
    output: required(2, txOut),
  }),
  1: variant("delayedPayment", delayedPayment),
  2: variant("staticPayment", staticPayment),
});
export type LdkSpendableOutput = Decoded<typeof descriptor>;

export const spendableOutputDescriptor = withRaw(descriptor);

/**
 * BumpTransaction is made anew after a restart, so LDK writes it empty; DiscardFunding stands between
 * odd numbers LDK skips and is left to its bytes.
 */
export const storedEvent = upgradableEnum({
  5: structVariant("spendableOutputs", {
    outputs: required(0, rest(spendableOutputDescriptor)),
    channelId: optional(1, channelId),
    counterpartyNodeId: optional(3, publicKey),
  }),
  27: structVariant("bumpTransaction", {}),
});

export const storedEvents: Codec<readonly Decoded<typeof storedEvent>[]> = counted(storedEvent);
