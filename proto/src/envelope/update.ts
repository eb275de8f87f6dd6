/**
 * farwatch/update/v1: the header of one ChannelMonitorUpdate (reliability 3.5, contract 2.2). It names
 * no recipient and no epoch, so a stored update is re-sent byte for byte for ever; set_no is the
 * member set in force when it was accepted. Headers of a channel form a chain by prev_hash.
 */
import type { Outpoint, Hash32, ChannelId, ManagerKey, UpdateId } from "../ids.js";
import { channelId, managerKey, updateId } from "../ids.js";
import { assert } from "../assert.js";
import { refuse, type Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import { checkPayloadSize } from "./limits.js";
import { sha256Hash, taggedHash } from "./tagged-hash.js";
import { ByteWriter, checkBody, openBody, startBody } from "./writer.js";

export const UPDATE_TAG = "farwatch/update/v1";
export const GENESIS_TAG = "farwatch/genesis/v1";
export const UPDATE_BODY_BYTES = 214;
const GENESIS_BODY_BYTES = 130;

/** typedSteps: serialized protobuf UpdateSteps. ldkBytes: LDK's own ChannelMonitorUpdate. */
export type PayloadType = "typedSteps" | "ldkBytes";
const PAYLOAD_TYPE_CODE: Readonly<Record<PayloadType, number>> = { typedSteps: 1, ldkBytes: 2 };

/** What a header says about its payload. */
export interface PayloadDigest {
  readonly payloadLength: number;
  readonly payloadSha256: Hash32;
}

export interface UpdateHeader extends PayloadDigest {
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly channelId: ChannelId;
  /** vout is a u16 here, as BOLT 2 funding_output_index is. */
  readonly funding: Outpoint;
  readonly managerKey: ManagerKey;
  readonly setNo: number;
  readonly updateId: UpdateId;
  /** Hash of the update before it; the genesis hash for a channel's first. */
  readonly prevHash: Hash32;
  readonly payloadType: PayloadType;
}

/** Length and SHA-256 of a payload, for its header. */
export const digestPayload = (payload: Uint8Array): PayloadDigest => ({
  payloadLength: payload.length,
  payloadSha256: sha256Hash(payload),
});

export function encodeUpdate(header: UpdateHeader): Uint8Array {
  assert(
    checkPayloadSize(header.payloadLength, "payload") === undefined,
    "payload above its limit",
  );
  return startBody(UPDATE_BODY_BYTES)
    .hex(header.chainHash, 32)
    .hex(header.channelId, 32)
    .txid(header.funding.txid)
    .u16(header.funding.vout)
    .hex(header.managerKey, 32)
    .u32(header.setNo)
    .u64(header.updateId)
    .hex(header.prevHash, 32)
    .u16(PAYLOAD_TYPE_CODE[header.payloadType])
    .u32(header.payloadLength)
    .hex(header.payloadSha256, 32)
    .finish();
}

function payloadTypeOf(code: number): PayloadType | undefined {
  if (code === PAYLOAD_TYPE_CODE.typedSteps) return "typedSteps";
  if (code === PAYLOAD_TYPE_CODE.ldkBytes) return "ldkBytes";
  return undefined;
}

/** Errors: wrongLength, malformed (version), unknownStep (payload type), tooLarge (payload). */
export function parseUpdate(bytes: Uint8Array): Result<UpdateHeader, Refusal> {
  const refusal = checkBody(bytes, UPDATE_BODY_BYTES, "update");
  if (refusal !== undefined) return err(refusal);
  const reader = openBody(bytes);
  const fields = {
    chainHash: reader.hex(32),
    channelId: channelId(reader.hex(32)),
    funding: { txid: reader.txid(), vout: reader.u16() },
    managerKey: managerKey(reader.hex(32)),
    setNo: reader.u32(),
    updateId: updateId(reader.u64()),
    prevHash: reader.hash32(),
  };
  const typeCode = reader.u16();
  const payload = { payloadLength: reader.u32(), payloadSha256: reader.hash32() };
  reader.finish();
  const payloadType = payloadTypeOf(typeCode);
  if (payloadType === undefined) {
    const details = { field: "update.payload_type" };
    return err(refuse("unknownStep", `update: unknown payload type ${typeCode}`, details));
  }
  const oversize = checkPayloadSize(payload.payloadLength, "update.payload_len");
  return oversize === undefined ? ok({ ...fields, payloadType, ...payload }) : err(oversize);
}

/** The update hash of an encoded body: what a batch signs and the next update's prev_hash. */
export const hashUpdate = taggedHash(UPDATE_TAG);

const hashGenesis = taggedHash(GENESIS_TAG);

export interface ChannelGenesis {
  readonly chainHash: string;
  readonly channelId: ChannelId;
  readonly funding: Outpoint;
  /** SHA-256 of the serialized InitialState, as the watch header names it. */
  readonly initialStateSha256: Hash32;
}

/** prev_hash of a channel's first update. */
export const genesisHash = (channel: ChannelGenesis): Hash32 =>
  hashGenesis(
    new ByteWriter(GENESIS_BODY_BYTES)
      .hex(channel.chainHash, 32)
      .hex(channel.channelId, 32)
      .txid(channel.funding.txid)
      .u16(channel.funding.vout)
      .hex(channel.initialStateSha256, 32)
      .finish(),
  );
