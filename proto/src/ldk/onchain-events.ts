/**
 * Facts a monitor has seen on chain and that are not deep enough yet (LDK chain/channelmonitor.rs
 * `OnchainEventEntry`; ldk-binary section 6.4).
 */
import { sequence, type Decoded } from "./codec.js";
import { structVariant, upgradableEnum } from "./enums.js";
import { htlcSource } from "./htlc-source.js";
import { blockHash, paymentHash, preimage, txid, u16, u32, u64 } from "./primitives.js";
import { spendableOutputDescriptor } from "./spendable.js";
import { optional, required, tlvStruct } from "./tlv.js";
import { transaction } from "./transaction.js";

export const outputValue = sequence({ outputIndex: u32, valueSat: u64 });

const onchainEvent = upgradableEnum({
  0: structVariant("htlcUpdate", {
    source: required(0, htlcSource),
    valueSat: optional(1, u64),
    paymentHash: required(2, paymentHash),
    outputIndex: optional(3, u32),
  }),
  1: structVariant("maturingOutput", { output: required(0, spendableOutputDescriptor) }),
  2: structVariant("alternativeFundingConfirmation", {}),
  3: structVariant("fundingSpendConfirmation", {
    /** Of our own commitment. */
    toSelfDelay: optional(0, u16),
    toCounterparty: optional(1, outputValue),
  }),
  5: structVariant("htlcSpendConfirmation", {
    outputIndex: required(0, u32),
    preimage: optional(2, preimage),
    toSelfDelay: optional(4, u16),
  }),
});

export const onchainEventEntry = tlvStruct("onchainEventEntry", {
  txid: required(0, txid),
  transaction: optional(1, transaction),
  height: required(2, u32),
  blockHash: optional(3, blockHash),
  event: required(4, onchainEvent),
});
export type LdkOnchainEvent = Decoded<typeof onchainEventEntry>;
