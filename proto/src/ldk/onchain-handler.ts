/**
 * `OnchainTxHandler`: pending claims, those that wait for a locktime, and confirmed spends that are not
 * deep enough yet (LDK chain/onchaintx.rs; ldk-binary section 6.3). The same bytes from 0.1 to 0.3.
 */
import { sequence, type Codec, type Decoded } from "./codec.js";
import { counted, option } from "./collections.js";
import { channelTransactionParameters, holderCommitmentTransaction } from "./commitment.js";
import { structVariant, upgradableEnum } from "./enums.js";
import { packageTemplate } from "./package.js";
import {
  blockHash,
  bytes32,
  outpoint32,
  restBytes,
  script,
  signature,
  txid,
  u32,
  u64,
  versionPrefix,
} from "./primitives.js";
import { flagged } from "./flagged.js";
import { noFields, optional, required, tlvStruct } from "./tlv.js";

/** HTLC signatures of ours that LDK stored before 0.0.118. */
const legacySignatures = flagged(counted(flagged(sequence({ index: u64, signature }))));

/** Behind its length in 32 bits. */
const signer: Codec<Uint8Array> = {
  ...restBytes,
  decode: (cursor) => restBytes.decode(cursor.sub(cursor.uint(4), "signer")),
  encode: (writer, value) => {
    const bytes = writer.apart((inner) => restBytes.encode(inner, value));
    writer.uint(4, bytes.length);
    writer.put(bytes);
  },
};

const pendingClaim = sequence({ claimId: bytes32, claim: packageTemplate });

const claimableOutpoint = sequence({ outpoint: outpoint32, claimId: bytes32, height: u32 });

const locktimed = sequence({ locktime: u32, packages: counted(packageTemplate) });

const waitingSpend = tlvStruct("waitingSpend", {
  txid: required(0, txid),
  blockHash: optional(1, blockHash),
  height: required(2, u32),
  event: required(
    4,
    upgradableEnum({
      0: structVariant("claim", { claimId: required(0, bytes32) }),
      1: structVariant("contentiousOutpoint", { claim: required(0, packageTemplate) }),
    }),
  ),
});

export const onchainTxHandler = sequence({
  version: versionPrefix,
  destinationScript: script,
  holderCommitment: holderCommitmentTransaction,
  legacySignatures,
  previousHolderCommitment: option(holderCommitmentTransaction),
  previousLegacySignatures: legacySignatures,
  parameters: channelTransactionParameters,
  /** Empty since 0.0.119: keys are derived from the seed. */
  signer,
  pendingClaims: counted(pendingClaim),
  claimableOutpoints: counted(claimableOutpoint),
  locktimedPackages: counted(locktimed),
  waitingSpends: counted(waitingSpend),
  end: noFields,
});
export type LdkOnchainTxHandler = Decoded<typeof onchainTxHandler>;
