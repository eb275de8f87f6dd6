/**
 * Identifiers. They are compared, sorted and used as map keys, so they are lowercase hex strings
 * (ADR P-08); material for arithmetic (keys, secrets, signatures, scripts) stays Uint8Array.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { assert } from "./assert.js";
import { brand, type Brand } from "./brand.js";
import { expectLength, fromHex, isHex, reversed, toHex } from "./bytes.js";

export type ChannelId = Brand<string, "ChannelId">;
/** Display order (reversed), as bitcoind prints it. On the wire and under signatures: internal order. */
export type Txid = Brand<string, "Txid">;
export type PaymentHash = Brand<string, "PaymentHash">;
export type PaymentId = Brand<string, "PaymentId">;
/** SHA-256 of the sender-side id of an outbound HTLC (contract 2.8). */
export type SourceKey = Brand<string, "SourceKey">;
/** A 32-byte tagged hash: update hash, event hash, content hash. */
export type Hash32 = Brand<string, "Hash32">;
/** BIP340 x-only key that names a manager (its update-signing key). */
export type ManagerKey = Brand<string, "ManagerKey">;
/** BIP340 x-only key that names a monitor (its receipt- and event-signing key). */
export type MonitorKey = Brand<string, "MonitorKey">;
/** 16 random bytes drawn when a store is created; a new id means a new, empty store. */
export type StoreId = Brand<string, "StoreId">;
export type UpdateId = Brand<bigint, "UpdateId">;
/** Per (store, channel), gapless from 1; 0 means unset (contract 2.9). */
export type EventId = Brand<bigint, "EventId">;
export type HtlcId = Brand<bigint, "HtlcId">;
/** Counts up from 0 (BOLT 3). Not the commitment index, which counts down from 2^48-1. */
export type CommitmentNumber = Brand<number, "CommitmentNumber">;

/** Preimages and per-commitment secrets: never logged, never in an error. */
export type Preimage = Brand<Uint8Array, "Preimage">;
export type PerCommitmentSecret = Brand<Uint8Array, "PerCommitmentSecret">;

const U64_MAX = (1n << 64n) - 1n;
const MAX_COMMITMENT_NUMBER = 2 ** 48 - 1;

function hexId<B extends Brand<string, string>>(value: string, byteLength: number): B {
  assert(isHex(value, byteLength), `identifier: expected ${byteLength} bytes of lowercase hex`);
  return brand<B>(value);
}
function u64<B extends Brand<bigint, string>>(value: bigint | number, what: string): B {
  const integer = BigInt(value);
  assert(integer >= 0n && integer <= U64_MAX, `${what}: outside u64`);
  return brand<B>(integer);
}

export const channelId = (value: string): ChannelId => hexId<ChannelId>(value, 32);
export const txid = (value: string): Txid => hexId<Txid>(value, 32);
export const paymentHash = (value: string): PaymentHash => hexId<PaymentHash>(value, 32);
export const paymentId = (value: string): PaymentId => hexId<PaymentId>(value, 32);
export const sourceKey = (value: string): SourceKey => hexId<SourceKey>(value, 32);
export const hash32 = (value: string): Hash32 => hexId<Hash32>(value, 32);
export const managerKey = (value: string): ManagerKey => hexId<ManagerKey>(value, 32);
export const monitorKey = (value: string): MonitorKey => hexId<MonitorKey>(value, 32);
export const storeId = (value: string): StoreId => hexId<StoreId>(value, 16);
export const updateId = (value: bigint | number): UpdateId => u64<UpdateId>(value, "update_id");
export const eventId = (value: bigint | number): EventId => u64<EventId>(value, "event_id");
export const htlcId = (value: bigint | number): HtlcId => u64<HtlcId>(value, "htlc_id");

export function commitmentNumber(value: bigint | number): CommitmentNumber {
  const integer = Number(value);
  assert(
    Number.isSafeInteger(integer) && integer >= 0 && integer <= MAX_COMMITMENT_NUMBER,
    "commitment number: outside 48 bits",
  );
  return brand<CommitmentNumber>(integer);
}
export const preimage = (value: Uint8Array): Preimage =>
  brand<Preimage>(expectLength(value, 32, "preimage"));
export const perCommitmentSecret = (value: Uint8Array): PerCommitmentSecret =>
  brand<PerCommitmentSecret>(expectLength(value, 32, "per-commitment secret"));

export interface Outpoint {
  readonly txid: Txid;
  readonly vout: number;
}
/** `txid:vout`, for map keys and people. */
export const outpointKey = (outpoint: Outpoint): string => `${outpoint.txid}:${outpoint.vout}`;

/** Display order to internal byte order, as hashes stand in transactions and under signatures. */
export const txidToInternal = (id: Txid): Uint8Array => reversed(fromHex(id));
export const txidFromInternal = (bytes: Uint8Array): Txid => txid(toHex(reversed(bytes)));

/** BOLT 2: payment_hash = SHA256(payment_preimage). */
export const hashOfPreimage = (secret: Preimage): PaymentHash =>
  brand<PaymentHash>(toHex(sha256(secret)));
