/**
 * Witness scripts and output scripts of a channel (BOLT 3, "Transactions"; onchain-engine 2.3).
 * "offered" and "received" are seen by the broadcaster of the commitment. Keys are 33 bytes.
 */
import { ripemd160 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { BlockDelta, BlockHeight } from "../block.js";
import { compareBytes, concatBytes, expectLength, fromHex } from "../bytes.js";
import type { PaymentHash } from "../ids.js";
import { channelTypeRules, type ChannelType } from "./channel-type.js";
import type { CommitmentKeys } from "./keys.js";
import { op, push, pushNumber } from "./script-bytes.js";

const PUBKEY_LENGTH = 33;
const PREIMAGE_LENGTH = 32;
/** BOLT 3: confirmations after which anyone may spend an anchor output. */
const ANCHOR_CSV_BLOCKS = 16;

/** Pay-to-anchor: OP_1 <0x4e73>, spent by anyone with an empty witness (BOLT PR 1228). */
export const SHARED_ANCHOR_SCRIPT = Uint8Array.of(0x51, 0x02, 0x4e, 0x73);

export interface ToRemoteOutput {
  readonly scriptPubkey: Uint8Array;
  /** undefined: P2WPKH. */
  readonly witnessScript: Uint8Array | undefined;
}

/** The part of an HTLC that its script depends on. */
export interface ScriptHtlc {
  /** By the broadcaster of the commitment. */
  readonly offered: boolean;
  readonly cltvExpiry: BlockHeight;
  readonly paymentHash: PaymentHash;
}

export const hash160 = (bytes: Uint8Array): Uint8Array => ripemd160(sha256(bytes));

/** P2WSH output script of a witness script. */
export const p2wsh = (witnessScript: Uint8Array): Uint8Array =>
  concatBytes(pushNumber(0), push(sha256(witnessScript)));

/** P2WPKH output script of a public key. */
export const p2wpkh = (pubkey: Uint8Array): Uint8Array =>
  concatBytes(pushNumber(0), push(hash160(pubkey)));

/** What a P2WPKH input signs instead of a witness script (BIP 143). */
export const p2wpkhScriptCode = (pubkey: Uint8Array): Uint8Array =>
  concatBytes(op("DUP", "HASH160"), push(hash160(pubkey)), op("EQUALVERIFY", "CHECKSIG"));

/** 2-of-2 of both funding keys, in byte order whatever the order of the arguments. */
export function fundingScript(one: Uint8Array, other: Uint8Array): Uint8Array {
  const [lower, higher] = compareBytes(one, other) < 0 ? [one, other] : [other, one];
  return concatBytes(
    pushNumber(2),
    pushKey(lower),
    pushKey(higher),
    pushNumber(2),
    op("CHECKMULTISIG"),
  );
}

/** P2WSH output script of the funding output. */
export const fundingOutputScript = (one: Uint8Array, other: Uint8Array): Uint8Array =>
  p2wsh(fundingScript(one, other));

/**
 * Script of to_local and of second-stage outputs; `csv` is the delay imposed on the broadcaster.
 */
export const toLocalScript = (
  revocationPubkey: Uint8Array,
  csv: BlockDelta,
  delayedPubkey: Uint8Array,
): Uint8Array =>
  concatBytes(
    op("IF"),
    pushKey(revocationPubkey),
    op("ELSE"),
    pushNumber(csv),
    op("CHECKSEQUENCEVERIFY", "DROP"),
    pushKey(delayedPubkey),
    op("ENDIF", "CHECKSIG"),
  );

/** Output of the countersignatory: P2WPKH, or P2WSH with one confirmation on anchor channels. */
export function toRemoteOutput(channelType: ChannelType, paymentPoint: Uint8Array): ToRemoteOutput {
  if (!channelTypeRules(channelType).oneBlockCsv) {
    return { scriptPubkey: p2wpkh(paymentPoint), witnessScript: undefined };
  }
  const witnessScript = concatBytes(
    pushKey(paymentPoint),
    op("CHECKSIGVERIFY"),
    pushNumber(1),
    op("CHECKSEQUENCEVERIFY"),
  );
  return { scriptPubkey: p2wsh(witnessScript), witnessScript };
}

/** Keyed anchor of one side. */
export const anchorScript = (fundingPubkey: Uint8Array): Uint8Array =>
  concatBytes(
    pushKey(fundingPubkey),
    op("CHECKSIG", "IFDUP", "NOTIF"),
    pushNumber(ANCHOR_CSV_BLOCKS),
    op("CHECKSEQUENCEVERIFY", "ENDIF"),
  );

/** Script of an HTLC the broadcaster offered. */
export const offeredHtlcScript = (
  channelType: ChannelType,
  keys: CommitmentKeys,
  paymentHash: PaymentHash,
): Uint8Array =>
  concatBytes(
    htlcHead(keys),
    op("NOTIF", "DROP"),
    broadcasterMultisig(keys),
    op("ELSE"),
    hashLock(paymentHash),
    op("CHECKSIG", "ENDIF"),
    htlcTail(channelType),
  );

/** Script of an HTLC the broadcaster received. */
export const receivedHtlcScript = (
  channelType: ChannelType,
  keys: CommitmentKeys,
  paymentHash: PaymentHash,
  cltvExpiry: BlockHeight,
): Uint8Array =>
  concatBytes(
    htlcHead(keys),
    op("IF"),
    hashLock(paymentHash),
    broadcasterMultisig(keys),
    op("ELSE", "DROP"),
    pushNumber(cltvExpiry),
    op("CHECKLOCKTIMEVERIFY", "DROP", "CHECKSIG", "ENDIF"),
    htlcTail(channelType),
  );

/** Script of an HTLC output, whichever side offered it. */
export const htlcWitnessScript = (
  channelType: ChannelType,
  keys: CommitmentKeys,
  htlc: ScriptHtlc,
): Uint8Array =>
  htlc.offered
    ? offeredHtlcScript(channelType, keys, htlc.paymentHash)
    : receivedHtlcScript(channelType, keys, htlc.paymentHash, htlc.cltvExpiry);

/** Revocation branch, then the test whether the countersignatory's last item is a preimage. */
const htlcHead = (keys: CommitmentKeys): Uint8Array =>
  concatBytes(
    op("DUP", "HASH160"),
    push(hash160(keys.revocationPubkey)),
    op("EQUAL", "IF", "CHECKSIG", "ELSE"),
    pushKey(keys.countersignatoryHtlcPubkey),
    op("SWAP", "SIZE"),
    pushNumber(PREIMAGE_LENGTH),
    op("EQUAL"),
  );

const htlcTail = (channelType: ChannelType): Uint8Array =>
  channelTypeRules(channelType).oneBlockCsv
    ? concatBytes(pushNumber(1), op("CHECKSEQUENCEVERIFY", "DROP", "ENDIF"))
    : op("ENDIF");

/** Both signatures, as the second-stage transaction of the broadcaster carries them. */
const broadcasterMultisig = (keys: CommitmentKeys): Uint8Array =>
  concatBytes(
    pushNumber(2),
    op("SWAP"),
    pushKey(keys.broadcasterHtlcPubkey),
    pushNumber(2),
    op("CHECKMULTISIG"),
  );

/** HASH160 of the preimage is RIPEMD160 of the payment hash. */
const hashLock = (paymentHash: PaymentHash): Uint8Array =>
  concatBytes(op("HASH160"), push(ripemd160(fromHex(paymentHash))), op("EQUALVERIFY"));

const pushKey = (pubkey: Uint8Array): Uint8Array =>
  push(expectLength(pubkey, PUBKEY_LENGTH, "public key"));
