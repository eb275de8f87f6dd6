/** InitialState and ChannelParameters <-> wire: what WatchChannel carries, and what a splice changes. */
import {
  CHANNEL_TYPES,
  type ChannelParameters,
  type ChannelPubkeys,
  type ChannelType,
  type ChannelTypeModifier,
  type ConstantsProfile,
  type InitialState,
  type NegotiatedFunding,
} from "../channel.js";
import { blockHash, type BlockPoint } from "../block.js";
import { fromHex, reversed, toHex } from "../bytes.js";
import { channelId, perCommitmentSecret, txidFromInternal, txidToInternal } from "../ids.js";
import type { Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import * as wire from "../../gen/monitor/v1/channel.js";
import { InitialState as WireInitialState } from "../../gen/monitor/v1/monitor_service.js";
import type * as wireUpdate from "../../gen/monitor/v1/update.js";
import {
  readCounterparty,
  readHolder,
  readNumber,
  unscoped,
  writeCounterparty,
  writeHolder,
} from "./commitment.js";
import { readEarlierState, writeEarlierState } from "./earlier-state.js";
import {
  MAX_LDK_MONITOR_BYTES,
  MAX_PENDING_FUNDINGS,
  MAX_REVOKED_SECRETS,
  MAX_SCRIPT_BYTES,
} from "./limits.js";
import {
  atMost,
  fail,
  fixed,
  fixedHex,
  optional,
  parseWith,
  present,
  readDelta,
  readHeight,
  readSat,
} from "./reader.js";
import { readOutpoint, writeOutpoint } from "./outpoint.js";
import { readUserChannelId } from "./source.js";

export { readOutpoint, writeOutpoint };

const POINT_BYTES = 33;
const SECRET_BYTES = 32;
/** farwatch/update/v1 gives vout 16 bits, as BOLT 2 `funding_output_index` does. */
const MAX_FUNDING_VOUT = 0xffff;

/** Errors: malformed, wrongLength, rangeExceeded, tooLarge, unsupportedChannelType. */
export const parseInitialState = (bytes: Uint8Array): Result<InitialState, Refusal> =>
  parseWith(WireInitialState, bytes, (message) => ({
    ...readFunding(withKeys(message), ""),
    pendingFundings: readPendingFundings(message.pendingFundings),
    manualBroadcast: message.manualBroadcast,
    revokedSecrets: readRevokedSecrets(message.revokedSecrets),
    bestBlock: optional(message.bestBlock, (block) => readBlockPoint(block, "best_block")),
    ldkMonitor: optional(message.ldkMonitor, (bytes) =>
      atMost(bytes, MAX_LDK_MONITOR_BYTES, "ldk_monitor"),
    ),
    earlier: optional(message.earlier, readEarlierState),
  }));

/** The other kind of channel is read in penalty-only.ts. */
function withKeys(message: WireInitialState): WireInitialState {
  return message.penaltyOnly === undefined
    ? message
    : fail("wrongChannelKind", "penalty_only", "a channel with keys is expected here");
}

export const encodeInitialState = (initial: InitialState): Uint8Array =>
  WireInitialState.encode({
    ...writeFunding(initial),
    pendingFundings: initial.pendingFundings.map(writeFunding),
    manualBroadcast: initial.manualBroadcast,
    revokedSecrets: initial.revokedSecrets.map(({ commitmentNumber, secret }) => ({
      commitmentNumber: BigInt(commitmentNumber),
      secret: Buffer.from(secret),
    })),
    bestBlock: optional(initial.bestBlock, writeBlockPoint),
    pendingEvents: [], // see imported-events.ts
    ldkMonitor: optional(initial.ldkMonitor, (bytes) => Buffer.from(bytes)),
    earlier: optional(initial.earlier, writeEarlierState),
    penaltyOnly: undefined, // see penalty-only.ts
  }).finish();

function readPendingFundings(
  messages: readonly wireUpdate.RenegotiatedFunding[],
): readonly NegotiatedFunding[] {
  const field = "pending_fundings";
  if (messages.length > MAX_PENDING_FUNDINGS) {
    fail("tooLarge", field, `more than ${MAX_PENDING_FUNDINGS} pending fundings`);
  }
  return messages.map((message, index) => readFunding(message, `${field}[${index}].`));
}

function readRevokedSecrets(messages: readonly wireUpdate.CommitmentSecret[]) {
  const field = "revoked_secrets";
  if (messages.length > MAX_REVOKED_SECRETS) {
    fail("tooLarge", field, `more than ${MAX_REVOKED_SECRETS} secrets`);
  }
  return messages.map(({ commitmentNumber, secret }, index) => ({
    commitmentNumber: readNumber(commitmentNumber, `${field}[${index}].commitment_number`),
    secret: perCommitmentSecret(fixed(secret, SECRET_BYTES, `${field}[${index}].secret`)),
  }));
}

/** A funding with the first commitments on it. `prefix`: of the names of its fields in refusals. */
export const readFunding = (
  message: wireUpdate.RenegotiatedFunding,
  prefix: string,
): NegotiatedFunding => {
  const parameters = `${prefix}parameters`;
  const holder = `${prefix}holder_commitment`;
  const counterparty = `${prefix}counterparty_commitment`;
  return {
    parameters: readParameters(present(message.parameters, parameters), parameters),
    holderCommitment: unscoped(readHolder, present(message.holderCommitment, holder), holder),
    counterpartyCommitment: unscoped(
      readCounterparty,
      present(message.counterpartyCommitment, counterparty),
      counterparty,
    ),
  };
};

export const writeFunding = (funding: NegotiatedFunding): wireUpdate.RenegotiatedFunding => ({
  parameters: writeParameters(funding.parameters),
  holderCommitment: writeHolder(funding.holderCommitment),
  counterpartyCommitment: writeCounterparty(funding.counterpartyCommitment),
});

export function readBlockPoint(point: wire.BlockPoint, field: string): BlockPoint {
  const hash = fixed(point.blockHash, 32, `${field}.block_hash`);
  return {
    height: readHeight(point.height, `${field}.height`),
    hash: blockHash(toHex(reversed(hash))),
  };
}
export const writeBlockPoint = (point: BlockPoint): wire.BlockPoint => ({
  height: point.height,
  blockHash: Buffer.from(reversed(fromHex(point.hash))),
});

export function readParameters(message: wire.ChannelParameters, field: string): ChannelParameters {
  const funding = readOutpoint(present(message.funding, `${field}.funding`), `${field}.funding`);
  if (funding.vout > MAX_FUNDING_VOUT) {
    fail("rangeExceeded", `${field}.funding.vout`, "more than 16 bits");
  }
  const script = atMost(message.destinationScript, MAX_SCRIPT_BYTES, `${field}.destination_script`);
  if (script.length === 0) fail("wrongLength", `${field}.destination_script`, "empty");
  const keys = (pubkeys: wire.ChannelPubkeys | undefined, name: string): ChannelPubkeys =>
    readPubkeys(present(pubkeys, `${field}.${name}`), `${field}.${name}`);
  return {
    channelId: channelId(fixedHex(message.channelId, 32, `${field}.channel_id`)),
    chainHash: fixedHex(message.chainHash, 32, `${field}.chain_hash`),
    channelType: readChannelType(message.channelType, `${field}.channel_type`),
    channelTypeModifiers: readModifiers(
      message.channelTypeModifiers,
      `${field}.channel_type_modifiers`,
    ),
    funding,
    channelValueSat: readSat(message.channelValueSat, `${field}.channel_value_sat`),
    holderIsOpener: message.holderIsOpener,
    holderPubkeys: keys(message.holderPubkeys, "holder_pubkeys"),
    counterpartyPubkeys: keys(message.counterpartyPubkeys, "counterparty_pubkeys"),
    holderSelectedContestDelay: readDelta(
      message.holderSelectedContestDelay,
      `${field}.holder_selected_contest_delay`,
    ),
    counterpartySelectedContestDelay: readDelta(
      message.counterpartySelectedContestDelay,
      `${field}.counterparty_selected_contest_delay`,
    ),
    channelKeysId: fixed(message.channelKeysId, 32, `${field}.channel_keys_id`),
    destinationScript: script,
    counterpartyNodeId: optional(message.counterpartyNodeId, (bytes) =>
      fixed(bytes, POINT_BYTES, `${field}.counterparty_node_id`),
    ),
    userChannelId: readUserChannelId(message.userChannelId, `${field}.user_channel_id`),
    constantsProfile: readProfile(message.constantsProfile, `${field}.constants_profile`),
    shutdownScript: optional(message.shutdownScript, (bytes) =>
      atMost(bytes, MAX_SCRIPT_BYTES, `${field}.shutdown_script`),
    ),
    spliceParentFundingTxid: optional(message.spliceParentFundingTxid, (bytes) =>
      txidFromInternal(fixed(bytes, 32, `${field}.splice_parent_funding_txid`)),
    ),
  };
}

function readPubkeys(message: wire.ChannelPubkeys, field: string): ChannelPubkeys {
  const point = (bytes: Uint8Array, name: string): Uint8Array =>
    fixed(bytes, POINT_BYTES, `${field}.${name}`);
  return {
    fundingPubkey: point(message.fundingPubkey, "funding_pubkey"),
    revocationBasepoint: point(message.revocationBasepoint, "revocation_basepoint"),
    paymentPoint: point(message.paymentPoint, "payment_point"),
    delayedPaymentBasepoint: point(message.delayedPaymentBasepoint, "delayed_payment_basepoint"),
    htlcBasepoint: point(message.htlcBasepoint, "htlc_basepoint"),
  };
}

function readChannelType(type: wire.ChannelType, field: string): ChannelType {
  switch (type) {
    case wire.ChannelType.STATIC_REMOTE_KEY:
      return "static_remote_key";
    case wire.ChannelType.ANCHORS_ZERO_FEE_HTLC:
      return "anchors_zero_fee_htlc";
    case wire.ChannelType.ZERO_FEE_COMMITMENTS:
      return "zero_fee_commitments";
    case wire.ChannelType.UNSPECIFIED:
      return fail("malformed", field, "required");
    default:
      return fail("unsupportedChannelType", field, CHANNEL_TYPES.join(", "));
  }
}

const WIRE_TYPES: Readonly<Record<ChannelType, wire.ChannelType>> = {
  static_remote_key: wire.ChannelType.STATIC_REMOTE_KEY,
  anchors_zero_fee_htlc: wire.ChannelType.ANCHORS_ZERO_FEE_HTLC,
  zero_fee_commitments: wire.ChannelType.ZERO_FEE_COMMITMENTS,
};
export const writeChannelType = (type: ChannelType): wire.ChannelType => WIRE_TYPES[type];

function readModifiers(
  messages: readonly wire.ChannelTypeModifier[],
  field: string,
): readonly ChannelTypeModifier[] {
  const modifiers = messages.map((modifier, index) => readModifier(modifier, `${field}[${index}]`));
  if (new Set(modifiers).size !== modifiers.length) fail("malformed", field, "named twice");
  return modifiers;
}

function readModifier(modifier: wire.ChannelTypeModifier, field: string): ChannelTypeModifier {
  switch (modifier) {
    case wire.ChannelTypeModifier.SCID_PRIVACY:
      return "scid_privacy";
    case wire.ChannelTypeModifier.ZERO_CONF:
      return "zero_conf";
    case wire.ChannelTypeModifier.UNSPECIFIED:
    default:
      return fail("unsupportedChannelType", field, "scid_privacy or zero_conf");
  }
}
const MODIFIERS: Readonly<Record<ChannelTypeModifier, wire.ChannelTypeModifier>> = {
  scid_privacy: wire.ChannelTypeModifier.SCID_PRIVACY,
  zero_conf: wire.ChannelTypeModifier.ZERO_CONF,
};

function readProfile(profile: wire.ConstantsProfile, field: string): ConstantsProfile {
  switch (profile) {
    case wire.ConstantsProfile.LDK_0_1:
      return "ldk_0_1";
    case wire.ConstantsProfile.LDK_0_2:
      return "ldk_0_2";
    case wire.ConstantsProfile.UNSPECIFIED:
    default:
      return fail("malformed", field, "required");
  }
}
const PROFILES: Readonly<Record<ConstantsProfile, wire.ConstantsProfile>> = {
  ldk_0_1: wire.ConstantsProfile.LDK_0_1,
  ldk_0_2: wire.ConstantsProfile.LDK_0_2,
};

export function writeParameters(parameters: ChannelParameters): wire.ChannelParameters {
  return {
    channelId: Buffer.from(fromHex(parameters.channelId)),
    chainHash: Buffer.from(fromHex(parameters.chainHash)),
    channelType: writeChannelType(parameters.channelType),
    funding: writeOutpoint(parameters.funding),
    channelValueSat: parameters.channelValueSat,
    holderIsOpener: parameters.holderIsOpener,
    holderPubkeys: writePubkeys(parameters.holderPubkeys),
    counterpartyPubkeys: writePubkeys(parameters.counterpartyPubkeys),
    holderSelectedContestDelay: parameters.holderSelectedContestDelay,
    counterpartySelectedContestDelay: parameters.counterpartySelectedContestDelay,
    channelKeysId: Buffer.from(parameters.channelKeysId),
    destinationScript: Buffer.from(parameters.destinationScript),
    counterpartyNodeId: optional(parameters.counterpartyNodeId, (bytes) => Buffer.from(bytes)),
    userChannelId: optional(parameters.userChannelId, (bytes) => Buffer.from(bytes)),
    constantsProfile: PROFILES[parameters.constantsProfile],
    shutdownScript: optional(parameters.shutdownScript, (bytes) => Buffer.from(bytes)),
    channelTypeModifiers: parameters.channelTypeModifiers.map((modifier) => MODIFIERS[modifier]),
    spliceParentFundingTxid: optional(parameters.spliceParentFundingTxid, (txid) =>
      Buffer.from(txidToInternal(txid)),
    ),
  };
}

const writePubkeys = (pubkeys: ChannelPubkeys): wire.ChannelPubkeys => ({
  fundingPubkey: Buffer.from(pubkeys.fundingPubkey),
  revocationBasepoint: Buffer.from(pubkeys.revocationBasepoint),
  paymentPoint: Buffer.from(pubkeys.paymentPoint),
  delayedPaymentBasepoint: Buffer.from(pubkeys.delayedPaymentBasepoint),
  htlcBasepoint: Buffer.from(pubkeys.htlcBasepoint),
});
