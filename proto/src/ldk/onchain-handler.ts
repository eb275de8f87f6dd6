/**
 * `OnchainTxHandler`: pending claims, those that wait for a locktime, and confirmed spends that are not
 * deep enough yet (LDK chain/onchaintx.rs; ldk-binary section 6.3). The same bytes from 0.1 to 0.3.
 */
import { channelTransactionParameters, holderCommitmentTransaction } from "./commitment.js";
import type { Cursor, Decode } from "./cursor.js";
import { packageTemplate } from "./package.js";
import {
  bytes32,
  counted,
  option,
  outpoint32,
  script,
  signature,
  txid,
  u32,
  u64,
  u8,
  versionPrefix,
} from "./primitives.js";
import {
  optional,
  required,
  structVariant,
  tlvStruct,
  upgradableEnum,
  type Decoded,
} from "./tlv.js";

/** HTLC signatures of ours that LDK stored before 0.0.118; read, not kept. */
function skipLegacySignatures(cursor: Cursor): void {
  if (!flag(cursor)) return;
  counted((at) => {
    if (flag(at)) {
      u64(at);
      signature(at);
    }
  })(cursor);
}

function flag(cursor: Cursor): boolean {
  const value = u8(cursor);
  return value > 1 ? cursor.fail({ kind: "badValue", what: "a marker is 0 or 1" }) : value === 1;
}

const pendingClaim = (cursor: Cursor) => ({
  claimId: bytes32(cursor),
  claim: packageTemplate(cursor),
});

const claimableOutpoint = (cursor: Cursor) => ({
  outpoint: outpoint32(cursor),
  claimId: bytes32(cursor),
  height: u32(cursor),
});

const locktimed = (cursor: Cursor) => ({
  locktime: u32(cursor),
  packages: counted(packageTemplate)(cursor),
});

const waitingSpend = tlvStruct("waitingSpend", {
  txid: required(0, txid),
  blockHash: optional(1, bytes32),
  height: required(2, u32),
  event: required(
    4,
    upgradableEnum({
      0: structVariant("claim", { claimId: required(0, bytes32) }),
      1: structVariant("contentiousOutpoint", { claim: required(0, packageTemplate) }),
    }),
  ),
});

const noFields = tlvStruct("end", {});

const handler = (cursor: Cursor) => {
  versionPrefix(cursor);
  const destinationScript = script(cursor);
  const holderCommitment = holderCommitmentTransaction(cursor);
  skipLegacySignatures(cursor);
  const previousHolderCommitment = option(holderCommitmentTransaction)(cursor);
  skipLegacySignatures(cursor);
  const parameters = channelTransactionParameters(cursor);
  /** Empty since 0.0.119: keys are derived from the seed. */
  const signer = cursor.sub(BigInt(u32(cursor)), "signer");
  signer.take(signer.left);
  const value = {
    destinationScript,
    holderCommitment,
    previousHolderCommitment,
    parameters,
    pendingClaims: counted(pendingClaim)(cursor),
    claimableOutpoints: counted(claimableOutpoint)(cursor),
    locktimedPackages: counted(locktimed)(cursor),
    waitingSpends: counted(waitingSpend)(cursor),
  };
  noFields(cursor);
  return value;
};

export const onchainTxHandler: Decode<Decoded<typeof handler>> = handler;
