/**
 * LDK's own bytes at the manager's edge (LDK chain/channelmonitor.rs): what is in them is checked like typed
 * words, and they themselves are signed and stored. A ChannelMonitor becomes a first state that carries it;
 * a ChannelMonitorUpdate stays as it is.
 */
import { fail } from "@farwatch/protocol/convert/reader";
import { parseInitialState } from "@farwatch/protocol/convert/channel";
import { MAX_LDK_MONITOR_BYTES } from "@farwatch/protocol/convert/limits";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { checkPayloadSize } from "@farwatch/protocol/envelope/limits";
import { sha256Hash } from "@farwatch/protocol/envelope/tagged-hash";
import type { ChannelId, Hash32, UpdateId } from "@farwatch/protocol/ids";
import { firstChannelId } from "@farwatch/protocol/ldk/convert/source";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { readLdkUpdate } from "@farwatch/protocol/ldk/convert/read-update";
import { describeFailure } from "@farwatch/protocol/ldk/cursor";
import { decodeChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { WatchRow } from "../manager/rows.js";
import type { UpdateRequest } from "./manager-host.js";

/** What is hashed, signed and stored. */
export interface SignedState {
  readonly payload: Uint8Array;
  readonly firstUpdateId: UpdateId;
  readonly ldkMonitorHash: Hash32 | undefined;
}

/**
 * `asked`: the first update's id as the caller has it; 0 leaves it to the monitor. Errors: malformed (with the
 * offset), rangeExceeded, tooLarge, unsupportedChannelType, notImportable.
 */
export function firstStateOfLdk(
  bytes: Uint8Array,
  asked: UpdateId,
  chainHash: string,
  curve: Curve,
): Result<SignedState, Refusal> {
  const read = readLdkMonitor(bytes, chainHash, curve);
  if (!read.ok) return read;
  const { payload, firstUpdateId } = read.value;
  const tooLarge = checkPayloadSize(payload.length, "ldk_monitor");
  if (tooLarge !== undefined) return err(tooLarge);
  if (asked !== 0n && asked !== firstUpdateId) {
    const details = { field: "first_update_id", expected: String(firstUpdateId) };
    return err(refuse("rangeExceeded", "not 0, nor the id after the monitor's latest", details));
  }
  return ok({ payload, firstUpdateId, ldkMonitorHash: sha256Hash(bytes) });
}

/** What a checkpoint says it is of. Errors: malformed (with the offset), rangeExceeded, tooLarge. */
export function namesOfMonitor(
  bytes: Uint8Array,
): Result<{ readonly channelId: ChannelId; readonly updateId: bigint }, Refusal> {
  if (bytes.length > MAX_LDK_MONITOR_BYTES) {
    const limit = String(MAX_LDK_MONITOR_BYTES);
    return err(refuse("tooLarge", `limit ${limit} bytes`, { field: "monitor", limit }));
  }
  const decoded = decodeChannelMonitor(bytes);
  if (!decoded.ok) {
    const { place, offset } = decoded.error;
    const details = { field: "monitor", place, offset: String(offset) };
    return err(refuse("malformed", describeFailure(decoded.error), details));
  }
  const { trailer, funding, latestUpdateId } = decoded.value;
  const channelId = trailer.channelId ?? firstChannelId(funding);
  return ok({ channelId, updateId: latestUpdateId });
}

/** `watch`: of the channel. Errors: channelUnknown, malformed (with the offset), unknownStep, tooLarge. */
export function stepsOfLdk(
  watch: WatchRow | undefined,
  { channelId, updateId, payload }: UpdateRequest,
): Result<readonly UpdateStep[], Refusal> {
  if (watch === undefined) {
    return err(refuse("channelUnknown", "WatchChannel first", { channel_id: channelId }));
  }
  // Asked for only when the update is a splice: no HTLC of its commitments is looked at here.
  const current = () => {
    const first = parseInitialState(watch.payload);
    // A penalty-only channel: it speaks no LDK.
    if (!first.ok) return fail("malformed", "ldk_bytes", "the channel cannot be spliced");
    return { parameters: first.value.parameters };
  };
  const read = readLdkUpdate(payload, current);
  if (!read.ok) return read;
  const named = read.value;
  if (named.updateId !== updateId) return differs("update_id");
  if (named.channelId !== undefined && named.channelId !== channelId) return differs("channel_id");
  return ok(named.steps);
}

const differs = (name: string): Result<never, Refusal> =>
  err(
    refuse("malformed", "the request and LDK's bytes name different ones", {
      field: `ldk_bytes.${name}`,
    }),
  );
