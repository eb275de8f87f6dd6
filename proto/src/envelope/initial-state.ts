/**
 * farwatch/watch/v1: the header of WatchChannel, which starts a channel's chain of updates. Its hash
 * is the single hash of an update batch, so the batch signature ties it to an epoch.
 */
import { assert } from "../assert.js";
import { channelId, managerKey, updateId } from "../ids.js";
import type { ChannelId, ManagerKey, Outpoint, UpdateId } from "../ids.js";
import { refuse, type Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import { checkPayloadSize } from "./limits.js";
import { taggedHash } from "./tagged-hash.js";
import type { PayloadDigest } from "./update.js";
import { checkBody, openBody, startBody } from "./writer.js";

export const WATCH_TAG = "farwatch/watch/v1";
export const WATCH_BODY_BYTES = 180;

export interface InitialStateHeader extends PayloadDigest {
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly channelId: ChannelId;
  readonly funding: Outpoint;
  readonly managerKey: ManagerKey;
  readonly setNo: number;
  /** Id of the first update that will follow; at least 1. */
  readonly firstUpdateId: UpdateId;
}

export function encodeInitialState(header: InitialStateHeader): Uint8Array {
  assert(header.firstUpdateId >= 1n, "first_update_id: from 1");
  assert(
    checkPayloadSize(header.payloadLength, "payload") === undefined,
    "payload above its limit",
  );
  return startBody(WATCH_BODY_BYTES)
    .hex(header.chainHash, 32)
    .hex(header.channelId, 32)
    .txid(header.funding.txid)
    .u16(header.funding.vout)
    .hex(header.managerKey, 32)
    .u32(header.setNo)
    .u64(header.firstUpdateId)
    .u32(header.payloadLength)
    .hex(header.payloadSha256, 32)
    .finish();
}

/** Errors: wrongLength, malformed (version), rangeExceeded (first update id 0), tooLarge (payload). */
export function parseInitialState(bytes: Uint8Array): Result<InitialStateHeader, Refusal> {
  const refusal = checkBody(bytes, WATCH_BODY_BYTES, "watch");
  if (refusal !== undefined) return err(refusal);
  const reader = openBody(bytes);
  const header = {
    chainHash: reader.hex(32),
    channelId: channelId(reader.hex(32)),
    funding: { txid: reader.txid(), vout: reader.u16() },
    managerKey: managerKey(reader.hex(32)),
    setNo: reader.u32(),
    firstUpdateId: updateId(reader.u64()),
    payloadLength: reader.u32(),
    payloadSha256: reader.hash32(),
  };
  reader.finish();
  if (header.firstUpdateId === 0n) {
    const details = { field: "watch.first_update_id" };
    return err(refuse("rangeExceeded", "watch: first_update_id starts at 1", details));
  }
  const oversize = checkPayloadSize(header.payloadLength, "watch.payload_len");
  return oversize === undefined ? ok(header) : err(oversize);
}

export const hashInitialState = taggedHash(WATCH_TAG);
