/**
 * `ChannelMonitor` (LDK chain/channelmonitor.rs; ldk-binary section 6.1): a fixed body, then records. The
 * body is the same from 0.1 to 0.3. Every part of it is read, so that success means every byte was
 * understood; byte fields are views of the input.
 */
import type { Result } from "../result.js";
import { sequence, type Codec, type Decoded } from "./codec.js";
import { counted, option, rest } from "./collections.js";
import { signedHtlc, type LdkHtlc, type SourcedHtlc } from "./commitment.js";
import { decodeWhole, type DecodeFailure } from "./cursor.js";
import { strictEnum, variant } from "./enums.js";
import { flagged, flaggedByZero } from "./flagged.js";
import { htlcSource } from "./htlc-source.js";
import { htlcUpdate } from "./monitor-events.js";
import { monitorTrailer } from "./monitor-trailer.js";
import { onchainEventEntry } from "./onchain-events.js";
import { onchainTxHandler } from "./onchain-handler.js";
import {
  blockHash,
  boolean,
  bytes32,
  outpoint16,
  paymentHash,
  preimage,
  publicKey,
  script,
  txid,
  u16,
  u32,
  u48,
  u64,
  versionPrefix,
} from "./primitives.js";
import { commitmentSecrets, currentPoints } from "./revocation-state.js";
import { storedEvents } from "./spendable.js";
import { noFields, optional, required, tlvStruct } from "./tlv.js";
import { encodeWhole, type EncodeFailure } from "./writer.js";

/** 0 says that it is there; everywhere else in LDK 0 says that it is not. */
const holderRevokableScript = flaggedByZero(
  sequence({ script, perCommitmentPoint: publicKey, revocationKey: publicKey }),
);

const counterpartyParameters = tlvStruct("counterpartyCommitmentParameters", {
  delayedPaymentBasepoint: required(0, publicKey),
  htlcBasepoint: required(2, publicKey),
  /** The delay on the counterparty's outputs. */
  onCounterpartyTxCsv: required(4, u16),
});

/** Before 0.0.100 a map stood in front; it is not read any more. */
const counterpartyCommitmentParameters: Codec<Decoded<typeof counterpartyParameters>> = {
  ...counterpartyParameters,
  decode: (cursor) => {
    const isOld = cursor.uint64() !== 0n;
    if (isOld) cursor.fail({ kind: "badValue", what: "a map of LDK before 0.0.100" });
    return counterpartyParameters.decode(cursor);
  },
  encode: (writer, value) => {
    writer.bigUint(8, 0n);
    counterpartyParameters.encode(writer, value);
  },
};

/** An HTLC as only the body writes it. */
const bodyHtlc: Codec<LdkHtlc> = sequence({
  offered: boolean,
  amountMsat: u64,
  cltvExpiry: u32,
  paymentHash,
  outputIndex: option(u32),
});

const bodySourcedHtlc: Codec<SourcedHtlc> = sequence({
  htlc: bodyHtlc,
  source: option(htlcSource),
});

const counterpartyHtlcs = sequence({ commitmentTxid: txid, htlcs: counted(bodySourcedHtlc) });

const onchainCommitment = sequence({ txid, commitmentNumber: u48 });

const hashNumber = sequence({ paymentHash, commitmentNumber: u48 });

const holderSignedTx = tlvStruct("holderSignedTx", {
  txid: required(0, txid),
  toSelfSat: optional(1, u64),
  revocationKey: required(2, publicKey),
  broadcasterHtlcKey: required(4, publicKey),
  countersignatoryHtlcKey: required(6, publicKey),
  delayedPaymentKey: required(8, publicKey),
  perCommitmentPoint: required(10, publicKey),
  feeratePerKw: required(12, u32),
  /** Those with an output first. */
  htlcs: required(14, rest(signedHtlc)),
});
export type LdkHolderSignedTx = Decoded<typeof holderSignedTx>;

/** The older list of events, kept for old readers; the trailer repeats it in full. */
const bodyMonitorEvent = strictEnum({
  0: variant("htlcEvent", htlcUpdate),
  1: variant("holderForceClosed", sequence({})),
});

const watchedOutput = sequence({ outputIndex: u32, scriptPubkey: script });

const watchedTransaction = sequence({ txid, outputs: counted(watchedOutput) });

/** The body, part by part in its order. */
const identity = {
  latestUpdateId: u64,
  obscureFactor: u48,
  destinationScript: script,
  holderRevokableScript,
  counterpartyPaymentScript: script,
  /** Empty: none was given. */
  shutdownScript: script,
  channelKeysId: bytes32,
  holderRevocationBasepoint: publicKey,
  funding: outpoint16,
  fundingScriptPubkey: script,
};

const counterpartyState = {
  counterpartyCommitmentTxid: option(txid),
  previousCounterpartyCommitmentTxid: option(txid),
  counterpartyCommitmentParameters,
  fundingRedeemScript: script,
  channelValueSat: u64,
  counterpartyPoints: currentPoints,
  onHolderTxCsv: u16,
  commitmentSecrets,
  commitmentSecretsEnd: noFields,
  /** Every counterparty commitment so far, also the revoked ones. */
  counterpartyHtlcs: counted(counterpartyHtlcs),
  counterpartyCommitmentsOnChain: counted(onchainCommitment),
  hashCommitmentNumbers: counted(hashNumber),
};

const holderState = {
  previousHolderTx: flagged(holderSignedTx),
  holderTx: holderSignedTx,
  counterpartyCommitmentNumber: u48,
  holderCommitmentNumber: u48,
  bodyPreimages: counted(preimage),
  bodyMonitorEvents: counted(bodyMonitorEvent),
};

const chainState = {
  pendingEvents: storedEvents,
  bestBlock: sequence({ hash: blockHash, height: u32 }),
  waitingFacts: counted(onchainEventEntry),
  outputsToWatch: counted(watchedTransaction),
  onchainTxHandler,
  lockdownFromOffchain: boolean,
  holderTxSigned: boolean,
};

export const channelMonitor = sequence({
  version: versionPrefix,
  ...identity,
  ...counterpartyState,
  ...holderState,
  ...chainState,
  trailer: monitorTrailer,
});
export type LdkChannelMonitor = Decoded<typeof channelMonitor>;

/** LDK's MonitorUpdatingPersister puts them in front of the monitor it stores. */
const PERSISTER_MARK = [0xff, 0xff] as const;

export const isPersisted = (bytes: Uint8Array): boolean =>
  PERSISTER_MARK.every((mark, at) => bytes[at] === mark);

/** `ChannelMonitor.write()`, whole, or the same as LDK's updating persister stores it. */
export const decodeChannelMonitor = (bytes: Uint8Array): Result<LdkChannelMonitor, DecodeFailure> =>
  decodeWhole("channelMonitor", isPersisted(bytes) ? persistedMonitor : channelMonitor, bytes);

/** A monitor as LDK's updating persister stores it. */
export const persistedMonitor: Codec<LdkChannelMonitor> = {
  ...channelMonitor,
  decode: (cursor) => {
    if (!isPersisted(cursor.take(2))) cursor.fail({ kind: "badValue", what: "not LDK's mark" });
    return channelMonitor.decode(cursor);
  },
  encode: (writer, value) => {
    for (const mark of PERSISTER_MARK) writer.uint(1, mark);
    channelMonitor.encode(writer, value);
  },
};

/** `ChannelMonitor.write()`; without the mark of LDK's updating persister. */
export const encodeChannelMonitor = (
  monitor: LdkChannelMonitor,
): Result<Uint8Array, EncodeFailure> => encodeWhole("channelMonitor", channelMonitor, monitor);
