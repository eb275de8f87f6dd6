/** The decoder of each kind of vector. */
import { decodeWhole, type DecodeFailure } from "@farwatch/protocol/ldk/cursor";
import { htlcSource } from "@farwatch/protocol/ldk/htlc-source";
import { decodeHtlcUpdate, decodeMonitorEvent } from "@farwatch/protocol/ldk/monitor-events";
import { decodeChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { spendableOutputDescriptor } from "@farwatch/protocol/ldk/spendable";
import { decodeMonitorUpdate } from "@farwatch/protocol/ldk/update";
import type { Result } from "@farwatch/protocol/result";
import type { VectorKind } from "../../harness/ldk-bytes/vectors.js";

export type DecodeBytes = (bytes: Uint8Array) => Result<unknown, DecodeFailure>;

export const DECODERS: Readonly<Record<VectorKind, DecodeBytes>> = {
  update: decodeMonitorUpdate,
  monitor: decodeChannelMonitor,
  event: decodeMonitorEvent,
  htlcUpdate: decodeHtlcUpdate,
  source: (bytes) => decodeWhole("htlcSource", htlcSource, bytes),
  spendable: (bytes) => decodeWhole("spendable", spendableOutputDescriptor, bytes),
};
