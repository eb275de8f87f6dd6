/**
 * LDK's `ChannelMonitor.write()` as the manager takes it in WatchChannel:
 *
 *     const read = readLdkMonitor(bytes, chainHash, curve);
 *     if (!read.ok) return read;
 *     const { initial, payload, firstUpdateId, latestUpdateId } = read.value;
 *
 * `payload` is what is signed and stored (InitialState, with LDK's bytes in it verbatim); the same bytes give
 * the same payload, always. `initial` is what the payload says, as parseInitialState reads it.
 */
import type { InitialState } from "../../channel.js";
import { encodeInitialState } from "../../convert/channel.js";
import { withImportedEvents } from "../../convert/imported-events.js";
import { MAX_LDK_MONITOR_BYTES } from "../../convert/limits.js";
import { atMost, fail, readWith } from "../../convert/reader.js";
import type { Curve } from "../../curve/curve.js";
import { updateId, type UpdateId } from "../../ids.js";
import type { Refusal } from "../../reasons.js";
import type { Result } from "../../result.js";
import { decodeChannelMonitor } from "../monitor.js";
import { LEGACY_CLOSED_UPDATE_ID } from "../update.js";
import { readInitialState } from "./initial-state.js";
import { failDecode } from "./read-update.js";
import { unackedEvents } from "./unacked-events.js";

export interface LdkMonitorRead {
  readonly initial: InitialState;
  /** Serialized InitialState. */
  readonly payload: Uint8Array;
  /** Of the update that comes next. */
  readonly firstUpdateId: UpdateId;
  readonly latestUpdateId: UpdateId;
}

/**
 * Errors: malformed (details name the field, the place in LDK's bytes and the offset), rangeExceeded,
 * tooLarge, unsupportedChannelType, notImportable (details.cause).
 */
export const readLdkMonitor = (
  bytes: Uint8Array,
  chainHash: string,
  curve: Curve,
): Result<LdkMonitorRead, Refusal> =>
  readWith(() => {
    const ldkMonitor = atMost(bytes, MAX_LDK_MONITOR_BYTES, "ldk_monitor");
    const decoded = decodeChannelMonitor(ldkMonitor);
    if (!decoded.ok) return failDecode(decoded.error, "ldk_monitor");
    const { latestUpdateId: latest } = decoded.value;
    if (latest === LEGACY_CLOSED_UPDATE_ID) {
      fail("rangeExceeded", "latest_update_id", "a channel that LDK before 0.1 closed");
    }
    const initial = { ...readInitialState(decoded.value, chainHash, curve), ldkMonitor };
    const state = encodeInitialState(initial);
    const events = unackedEvents(decoded.value, initial);
    return {
      initial,
      payload: events.length === 0 ? state : withImportedEvents(state, events),
      firstUpdateId: updateId(latest + 1n),
      latestUpdateId: updateId(latest),
    };
  });
