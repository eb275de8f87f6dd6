/**
 * LDK's `ChannelMonitorUpdate.write()` as the manager and its monitors take it: the bytes are signed and
 * stored as they came, both services read them with this function, and so see the same steps.
 *
 *     const read = readLdkUpdate(bytes, () => current);
 *     if (!read.ok) return read;
 *     const { updateId, channelId, steps } = read.value;
 *
 * `current` is called only when the update has a splice in it (RenegotiatedFunding). A monitor gives its
 * state. A manager keeps no list of HTLCs and gives the parameters of its stored first state alone:
 * `() => ({ parameters })`; the steps are then the same but for the HTLCs of the splice's commitments,
 * which lack sources and dust. Apply nothing from those lists.
 */
import { fail, readWith, WireError } from "../../convert/reader.js";
import { updateId, type ChannelId, type UpdateId } from "../../ids.js";
import { refuse, type Refusal } from "../../reasons.js";
import type { Result } from "../../result.js";
import type { UpdateStep } from "../../update.js";
import { describeFailure, type DecodeFailure } from "../cursor.js";
import { decodeMonitorUpdate, LEGACY_CLOSED_UPDATE_ID } from "../update.js";
import { readSteps, type Current } from "./update-steps.js";

export interface LdkUpdate {
  readonly updateId: UpdateId;
  /** LDK since 0.0.121 writes it. */
  readonly channelId: ChannelId | undefined;
  readonly steps: readonly UpdateStep[];
}

/**
 * Errors: malformed (details name the field, the place in LDK's bytes and the offset), unknownStep, rangeExceeded, tooLarge,
 * unsupportedChannelType.
 */
export const readLdkUpdate = (bytes: Uint8Array, current: Current): Result<LdkUpdate, Refusal> =>
  readWith(() => {
    const decoded = decodeMonitorUpdate(bytes);
    if (!decoded.ok) return failDecode(decoded.error, "ldk_bytes");
    const { updateId: id, channelId } = decoded.value;
    if (id === LEGACY_CLOSED_UPDATE_ID) {
      // LDK before 0.1 gave it to every update after a close: such updates have no order.
      fail("rangeExceeded", "update_id", "LDK before 0.1 numbers updates after a close like this");
    }
    return { updateId: updateId(id), channelId, steps: readSteps(decoded.value, current) };
  });

/** Says where reading stopped and why, and quotes no byte. */
export function failDecode(failure: DecodeFailure, field: string): never {
  const { place, offset } = failure;
  const details = { field, place, offset: String(offset) };
  throw new WireError(refuse("malformed", describeFailure(failure), details));
}
