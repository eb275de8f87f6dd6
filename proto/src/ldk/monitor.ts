/**
 * `ChannelMonitor` (LDK chain/channelmonitor.rs; ldk-binary section 6.1): a fixed body, then records. The
 * body is the same from 0.1 to 0.3. Every part of it is read, so that success means every byte was
 * understood; byte fields are views of the input.
 */
import type { Result } from "../result.js";
import { signedHtlc, type LdkHtlc, type SourcedHtlc } from "./commitment.js";
import { decodeWhole, type Cursor, type Decode, type DecodeFailure } from "./cursor.js";
import { htlcSource } from "./htlc-source.js";
import { htlcUpdate } from "./monitor-events.js";
import { monitorTrailer } from "./monitor-trailer.js";
import { onchainEventEntry } from "./onchain-events.js";
import { onchainTxHandler } from "./onchain-handler.js";
import {
  boolean,
  bytes32,
  counted,
  exactly,
  option,
  outpoint16,
  paymentHash,
  preimage,
  publicKey,
  rest,
  script,
  secret,
  txid,
  u16,
  u32,
  u48,
  u64,
  versionPrefix,
} from "./primitives.js";
import { storedEvents } from "./spendable.js";
import { defaulted, required, tlvStruct, type Decoded } from "./tlv.js";

/** 2^48 marks an empty slot. */
const SECRET_SLOTS = 49;
const noFields = tlvStruct("end", {});

/** 0 says that it is there; everywhere else in LDK 0 says that it is not. */
const holderRevokableScript = (cursor: Cursor) => {
  const absent = cursor.uint(1);
  if (absent > 1) cursor.fail({ kind: "badValue", what: "a marker is 0 or 1" });
  return absent === 1
    ? undefined
    : {
        script: script(cursor),
        perCommitmentPoint: publicKey(cursor),
        revocationKey: publicKey(cursor),
      };
};

const counterpartyParameters = tlvStruct("counterpartyCommitmentParameters", {
  delayedPaymentBasepoint: required(0, publicKey),
  htlcBasepoint: required(2, publicKey),
  /** The delay on the counterparty's outputs. */
  onCounterpartyTxCsv: required(4, u16),
});

/** Before 0.0.100 a map stood in front; it is not read any more. */
const counterpartyCommitmentParameters: Decode<Decoded<typeof counterpartyParameters>> = (
  cursor,
) => {
  if (u64(cursor) !== 0n) cursor.fail({ kind: "badValue", what: "a map of LDK before 0.0.100" });
  return counterpartyParameters(cursor);
};

const currentPoints = (cursor: Cursor) => {
  const index = u48(cursor);
  if (index === 0n) return undefined;
  const first = publicKey(cursor);
  const second = publicKey(cursor);
  return { index, first, second: second.every((byte) => byte === 0) ? undefined : second };
};

const commitmentSecret = (cursor: Cursor) => ({ secret: secret(cursor), index: u64(cursor) });

const commitmentSecrets = (cursor: Cursor) => {
  const slots = exactly(SECRET_SLOTS, commitmentSecret)(cursor);
  noFields(cursor);
  return slots;
};

/** An HTLC as only the body writes it. */
const bodyHtlc: Decode<LdkHtlc> = (cursor) => ({
  offered: boolean(cursor),
  amountMsat: u64(cursor),
  cltvExpiry: u32(cursor),
  paymentHash: paymentHash(cursor),
  outputIndex: option(u32)(cursor),
});

const bodySourcedHtlc: Decode<SourcedHtlc> = (cursor) => ({
  htlc: bodyHtlc(cursor),
  source: option(htlcSource)(cursor),
});

const counterpartyHtlcs = (cursor: Cursor) => ({
  commitmentTxid: txid(cursor),
  htlcs: counted(bodySourcedHtlc)(cursor),
});

const onchainCommitment = (cursor: Cursor) => ({
  txid: txid(cursor),
  commitmentNumber: u48(cursor),
});

const hashNumber = (cursor: Cursor) => ({
  paymentHash: paymentHash(cursor),
  commitmentNumber: u48(cursor),
});

const holderSignedTx = tlvStruct("holderSignedTx", {
  txid: required(0, txid),
  toSelfSat: defaulted<bigint | undefined>(1, u64, undefined),
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

const previousHolderTx = (cursor: Cursor) => (boolean(cursor) ? holderSignedTx(cursor) : undefined);

/** The older list of events, kept for old readers; the trailer repeats it in full. */
const bodyMonitorEvent = (cursor: Cursor) => (boolean(cursor) ? undefined : htlcUpdate(cursor));

const watchedOutput = (cursor: Cursor) => ({
  outputIndex: u32(cursor),
  scriptPubkey: script(cursor),
});

const watchedTransaction = (cursor: Cursor) => ({
  txid: txid(cursor),
  outputs: counted(watchedOutput)(cursor),
});

/** The body, part by part in its order. */
const identity = (cursor: Cursor) => ({
  latestUpdateId: u64(cursor),
  obscureFactor: u48(cursor),
  destinationScript: script(cursor),
  holderRevokableScript: holderRevokableScript(cursor),
  counterpartyPaymentScript: script(cursor),
  /** Empty: none was given. */
  shutdownScript: script(cursor),
  channelKeysId: bytes32(cursor),
  holderRevocationBasepoint: publicKey(cursor),
  funding: outpoint16(cursor),
  fundingScriptPubkey: script(cursor),
});

const counterpartyState = (cursor: Cursor) => ({
  counterpartyCommitmentTxid: option(txid)(cursor),
  previousCounterpartyCommitmentTxid: option(txid)(cursor),
  counterpartyCommitmentParameters: counterpartyCommitmentParameters(cursor),
  fundingRedeemScript: script(cursor),
  channelValueSat: u64(cursor),
  counterpartyPoints: currentPoints(cursor),
  onHolderTxCsv: u16(cursor),
  commitmentSecrets: commitmentSecrets(cursor),
  /** Every counterparty commitment so far, also the revoked ones. */
  counterpartyHtlcs: counted(counterpartyHtlcs)(cursor),
  counterpartyCommitmentsOnChain: counted(onchainCommitment)(cursor),
  hashCommitmentNumbers: counted(hashNumber)(cursor),
});

const holderState = (cursor: Cursor) => ({
  previousHolderTx: previousHolderTx(cursor),
  holderTx: holderSignedTx(cursor),
  counterpartyCommitmentNumber: u48(cursor),
  holderCommitmentNumber: u48(cursor),
  bodyPreimages: counted(preimage)(cursor),
  bodyMonitorEvents: counted(bodyMonitorEvent)(cursor),
});

const chainState = (cursor: Cursor) => ({
  pendingEvents: storedEvents(cursor),
  bestBlock: { hash: bytes32(cursor), height: u32(cursor) },
  waitingFacts: counted(onchainEventEntry)(cursor),
  outputsToWatch: counted(watchedTransaction)(cursor),
  onchainTxHandler: onchainTxHandler(cursor),
  lockdownFromOffchain: boolean(cursor),
  holderTxSigned: boolean(cursor),
});

const channelMonitor = (cursor: Cursor) => {
  versionPrefix(cursor);
  return {
    ...identity(cursor),
    ...counterpartyState(cursor),
    ...holderState(cursor),
    ...chainState(cursor),
    trailer: monitorTrailer(cursor),
  };
};
export type LdkChannelMonitor = Decoded<typeof channelMonitor>;

/** LDK's MonitorUpdatingPersister puts them in front of the monitor it stores. */
const PERSISTER_MARK = 0xff;

/** `ChannelMonitor.write()`, whole, or the same as LDK's updating persister stores it. */
export function decodeChannelMonitor(bytes: Uint8Array): Result<LdkChannelMonitor, DecodeFailure> {
  return decodeWhole(
    "channelMonitor",
    (cursor) => {
      if (bytes[0] === PERSISTER_MARK && bytes[1] === PERSISTER_MARK) cursor.take(2);
      return channelMonitor(cursor);
    },
    bytes,
  );
}
