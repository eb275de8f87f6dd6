/**
 * MonitorEvents as LDK objects, built from what our monitors told. They are byte for byte what LDK's own
 * ChannelMonitor would have handed out (restart.md 6): the HTLCSource is LDK's own, kept verbatim.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { concatBytes, fromHex } from "@farwatch/protocol/bytes";
import type { CloseReason } from "@farwatch/protocol/event";
import type { ChannelId, Outpoint } from "@farwatch/protocol/ids";
import { txidToInternal } from "@farwatch/protocol/ids";
import type { EventForLdk, HtlcEventBody } from "./event-desk.js";
import { okOf, type Ldk, type LdkModule } from "./ldk-module.js";

/** What LDK calls a channel by. */
export interface ChannelName {
  readonly channelId: ChannelId;
  readonly funding: Outpoint;
}

export const outPointOf = (ldk: LdkModule, { txid, vout }: Outpoint): Ldk.OutPoint =>
  ldk.OutPoint.constructor_new(txidToInternal(txid), vout);

export const channelIdOf = (ldk: LdkModule, id: ChannelId): Ldk.ChannelId =>
  ldk.ChannelId.constructor_new(fromHex(id));

export const completedEvent = (
  ldk: LdkModule,
  { channelId, funding }: ChannelName,
  updateId: bigint,
): Ldk.MonitorEvent =>
  ldk.MonitorEvent.constructor_completed(
    outPointOf(ldk, funding),
    channelIdOf(ldk, channelId),
    updateId,
  );

export function monitorEvent(
  ldk: LdkModule,
  { channelId, funding }: ChannelName,
  event: EventForLdk,
): Ldk.MonitorEvent {
  switch (event.kind) {
    case "htlcEvent":
      return ldk.MonitorEvent.constructor_htlcevent(htlcUpdate(ldk, event));
    case "holderForceClosed":
      return ldk.MonitorEvent.constructor_holder_force_closed_with_info(
        closureReason(ldk, event.reason),
        outPointOf(ldk, funding),
        channelIdOf(ldk, channelId),
      );
    case "commitmentTxConfirmed":
      return fromBytes(ldk, COMMITMENT_TX_CONFIRMED);
    default:
      return assertNever(event);
  }
}

/** LDK's own words when its monitor closes: an HTLC ran out, or somebody asked for it. */
function closureReason(ldk: LdkModule, reason: CloseReason): Ldk.ClosureReason {
  if (reason.kind === "htlcDeadline") return ldk.ClosureReason.constructor_htlcs_timed_out();
  const broadcasted = ldk.Option_boolZ.constructor_some(true);
  return ldk.ClosureReason.constructor_holder_force_closed(broadcasted);
}

/** Variant 1 without a value; the bindings of 0.1 have no constructor, and LDK 0.1 no such event. */
const COMMITMENT_TX_CONFIRMED = Uint8Array.of(1);

function fromBytes(ldk: LdkModule, bytes: Uint8Array): Ldk.MonitorEvent {
  const read = ldk.UtilMethods.constructor_MonitorEvent_read(bytes);
  const { res } = okOf(read, ldk.Result_COption_MonitorEventZDecodeErrorZ_OK, "MonitorEvent");
  if (res instanceof ldk.Option_MonitorEventZ_Some) return res.some;
  throw new Error("LDK: this version does not know the MonitorEvent");
}

function htlcUpdate(ldk: LdkModule, event: HtlcEventBody): Ldk.HTLCUpdate {
  const read = ldk.HTLCUpdate.constructor_read(htlcUpdateBytes(event));
  return okOf(read, ldk.Result_HTLCUpdateDecodeErrorZ_OK, "HTLCUpdate").res;
}

/** `HTLCUpdate`: the bindings have no constructor from fields (LDK chain/channelmonitor.rs). */
export function htlcUpdateBytes(event: HtlcEventBody): Uint8Array {
  const { resolution, source } = event;
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, event.amountMsat / 1000n);
  const records = concatBytes(
    record(0, fromHex(event.paymentHash)),
    record(1, value),
    record(2, source.opaque),
    resolution.kind === "claimed" ? record(4, resolution.preimage) : new Uint8Array(0),
  );
  return concatBytes(bigSize(records.length), records);
}

const record = (type: number, value: Uint8Array): Uint8Array =>
  concatBytes(Uint8Array.of(type), bigSize(value.length), value);

/** BOLT 1, as far as the sizes of one HTLC go: an HTLCSource that fits into a message fits here. */
function bigSize(value: number): Uint8Array {
  if (value < 0xfd) return Uint8Array.of(value);
  const bytes = new Uint8Array(value < 0x10000 ? 3 : 5);
  const view = new DataView(bytes.buffer);
  if (bytes.length === 3) {
    view.setUint8(0, 0xfd);
    view.setUint16(1, value);
  } else {
    view.setUint8(0, 0xfe);
    view.setUint32(1, value);
  }
  return bytes;
}
