/**
 * What is saved beside a ChannelManager, in the same atomic write (contract 2.22, 2.23; restart rules R3 and
 * R7): where LDK and its watch stood when that ChannelManager was written. Opaque to the caller.
 *
 * Layout: "FWTD", version, u32 count; per channel id (32), state, u64 newest, has completed, u64 completed;
 * then the first 8 bytes of the SHA-256 of all that. Big-endian.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from "@farwatch/protocol/bytes";
import { channelId, type ChannelId } from "@farwatch/protocol/ids";
import { RemoteWatchError } from "./errors.js";

/**
 * open: LDK listed the channel. closed: it did not, and HTLCs may still wait for their outcome. settled: every
 * outcome is in a saved ChannelManager, so LDK needs the ChannelMonitor no more.
 */
export type ChannelState = "open" | "closed" | "settled";

export interface ToldChannel {
  /** Highest Completed that LDK was given; undefined: not even that of the first ChannelMonitor. */
  readonly completed: bigint | undefined;
  /** Newest id that LDK gave to the watch. Above `completed`: updates are in flight in that ChannelManager. */
  readonly newest: bigint;
  readonly state: ChannelState;
}
export type Told = ReadonlyMap<ChannelId, ToldChannel>;

const MAGIC = utf8("FWTD");
const VERSION = 1;
const HEAD_BYTES = 4 + 1 + 4;
const ENTRY_BYTES = 32 + 1 + 8 + 1 + 8;
const CHECK_BYTES = 8;
const STATES: readonly ChannelState[] = ["open", "closed", "settled"];

export function encodeTold(told: Told): Uint8Array {
  const body = new Uint8Array(HEAD_BYTES + told.size * ENTRY_BYTES);
  const view = new DataView(body.buffer);
  body.set(MAGIC);
  view.setUint8(4, VERSION);
  view.setUint32(5, told.size);
  let at = HEAD_BYTES;
  for (const [id, { completed, newest, state }] of told) {
    body.set(fromHex(id), at);
    view.setUint8(at + 32, STATES.indexOf(state));
    view.setBigUint64(at + 33, newest);
    view.setUint8(at + 41, completed === undefined ? 0 : 1);
    view.setBigUint64(at + 42, completed ?? 0n);
    at += ENTRY_BYTES;
  }
  return concatBytes(body, sha256(body).slice(0, CHECK_BYTES));
}

/** Throws RemoteWatchError toldUnreadable: a guess here could close every channel. */
export function decodeTold(bytes: Uint8Array): Told {
  const body = Uint8Array.from(bytes.subarray(0, Math.max(0, bytes.length - CHECK_BYTES)));
  if (body.length < HEAD_BYTES || !equalBytes(body.subarray(0, 4), MAGIC)) {
    throw unreadable("these are not bytes of a RemoteWatch");
  }
  const view = new DataView(body.buffer);
  if (view.getUint8(4) !== VERSION) throw unreadable(`version ${view.getUint8(4)} is not known`);
  const count = view.getUint32(5);
  const checked = equalBytes(sha256(body).slice(0, CHECK_BYTES), bytes.subarray(body.length));
  if (!checked || body.length !== HEAD_BYTES + count * ENTRY_BYTES) throw unreadable("damaged");
  const told = new Map<ChannelId, ToldChannel>();
  for (let at = HEAD_BYTES; at < body.length; at += ENTRY_BYTES) {
    const state = STATES[view.getUint8(at + 32)];
    if (state === undefined) throw unreadable("a channel is in no known state");
    told.set(channelId(toHex(body.subarray(at, at + 32))), {
      newest: view.getBigUint64(at + 33),
      completed: view.getUint8(at + 41) === 0 ? undefined : view.getBigUint64(at + 42),
      state,
    });
  }
  return told;
}

const unreadable = (why: string): RemoteWatchError =>
  new RemoteWatchError("toldUnreadable", `the bytes saved beside the ChannelManager: ${why}`);
