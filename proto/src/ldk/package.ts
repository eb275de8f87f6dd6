/**
 * Claims as LDK keeps them: outputs and what is needed to spend them (LDK chain/package.rs; ldk-binary
 * section 6.3). Of the secrets only those of revoked commitments are in it.
 */
import { channelTransactionParameters, holderCommitmentTransaction, htlc } from "./commitment.js";
import { followedBy, sequence, type Codec, type Decoded } from "./codec.js";
import { counted } from "./collections.js";
import { strictEnum, structVariant } from "./enums.js";
import {
  bytes32,
  outpoint32,
  preimage,
  publicKey,
  restBytes,
  script,
  secret,
  signature,
  txid,
  u16,
  u32,
  u64,
  unit,
} from "./primitives.js";
import type { Outpoint } from "../ids.js";
import { optional, required, tlvStruct } from "./tlv.js";

const derivation = tlvStruct("derivation", {
  channelValueSat: required(0, u64),
  channelKeysId: required(2, bytes32),
  parameters: required(4, channelTransactionParameters),
});

const htlcDescriptor = tlvStruct("htlcDescriptor", {
  derivation: required(0, derivation),
  feeratePerKw: optional(1, u32),
  commitmentTxid: required(2, txid),
  commitmentNumber: required(4, u64),
  perCommitmentPoint: required(6, publicKey),
  htlc: required(8, htlc),
  preimage: optional(10, preimage),
  counterpartySignature: required(12, signature),
});

/** On every output of a counterparty commitment. */
const counterpartyKeys = {
  perCommitmentPoint: required(0, publicKey),
  /** Since 0.1.4. */
  outpointHeight: optional(1, u32),
  counterpartyDelayedBasepoint: required(2, publicKey),
  counterpartyHtlcBasepoint: required(4, publicKey),
};

/** `PackageSolvingData`. */
const solvingData = strictEnum({
  0: structVariant("revokedOutput", {
    ...counterpartyKeys,
    perCommitmentSecret: required(6, secret),
    weight: required(8, u64),
    amountSat: required(10, u64),
    toSelfDelay: required(12, u16),
    anchors: optional(14, unit),
    parameters: optional(15, channelTransactionParameters),
  }),
  1: structVariant("revokedHtlcOutput", {
    ...counterpartyKeys,
    perCommitmentSecret: required(6, secret),
    weight: required(8, u64),
    amountSat: required(10, u64),
    htlc: required(12, htlc),
    parameters: optional(13, channelTransactionParameters),
  }),
  2: structVariant("counterpartyOfferedHtlc", {
    ...counterpartyKeys,
    preimage: required(6, preimage),
    htlc: required(8, htlc),
    legacyAnchors: optional(10, unit),
    channelType: optional(11, restBytes),
    parameters: optional(13, channelTransactionParameters),
  }),
  3: structVariant("counterpartyReceivedHtlc", {
    ...counterpartyKeys,
    htlc: required(6, htlc),
    legacyAnchors: optional(8, unit),
    channelType: optional(9, restBytes),
    parameters: optional(11, channelTransactionParameters),
  }),
  4: structVariant("holderHtlc", {
    amountMsat: required(0, u64),
    outpointHeight: optional(1, u32),
    /** 0 when the preimage is known. */
    cltvExpiry: required(2, u32),
    preimage: optional(4, preimage),
    legacyAnchors: optional(6, unit),
    channelType: optional(7, restBytes),
    descriptor: optional(9, htlcDescriptor),
  }),
  5: structVariant("holderFunding", {
    redeemScript: required(0, script),
    channelType: optional(1, restBytes),
    legacyAnchors: optional(2, unit),
    fundingSat: optional(3, u64),
    commitment: optional(5, holderCommitmentTransaction),
    parameters: optional(7, channelTransactionParameters),
  }),
});

export interface PackageInput {
  readonly outpoint: Outpoint;
  readonly solving: Decoded<typeof solvingData>;
}

const packageInput: Codec<PackageInput> = sequence({ outpoint: outpoint32, solving: solvingData });

const timing = tlvStruct("packageTiming", {
  counterpartySpendableHeight: required(0, u32),
  previousFeeratePerKw: required(2, u64),
  /** Written as 0 since 0.1. */
  originalHeight: optional(4, u32),
  nextBumpHeight: optional(6, u32),
});

/** `PackageTemplate`. */
export const packageTemplate = followedBy({ inputs: counted(packageInput) }, timing);
export type LdkPackage = Decoded<typeof packageTemplate>;
