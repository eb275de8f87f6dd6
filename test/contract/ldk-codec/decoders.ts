/** The codec of each kind of vector. */
import type { Codec } from "@farwatch/protocol/ldk/codec";
import { decodeWhole, type DecodeFailure } from "@farwatch/protocol/ldk/cursor";
import { htlcSource } from "@farwatch/protocol/ldk/htlc-source";
import { readJson, type Json } from "@farwatch/protocol/ldk/json";
import { htlcUpdate, monitorEvent } from "@farwatch/protocol/ldk/monitor-events";
import { channelMonitor } from "@farwatch/protocol/ldk/monitor";
import { spendableOutputDescriptor } from "@farwatch/protocol/ldk/spendable";
import { channelMonitorUpdate } from "@farwatch/protocol/ldk/update";
import { encodeWhole } from "@farwatch/protocol/ldk/writer";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { VectorKind } from "../../harness/ldk-bytes/vectors.js";

/** A value, the bytes it is written as, and those it is written as after its JSON form. */
export interface Read {
  readonly value: unknown;
  readonly encoded: () => Uint8Array;
  readonly encodedFromJson: () => Uint8Array;
}

export type Reader = (bytes: Uint8Array) => Result<Read, DecodeFailure>;

/** Encoding what was decoded cannot fail; that it does is a defect, and thrown. */
function written<T>(codec: Codec<T>, value: T): Uint8Array {
  const encoded = encodeWhole("value", codec, value);
  if (encoded.ok) return encoded.value;
  throw new Error(`${encoded.error.problem} at ${encoded.error.place}`);
}

function fromJson<T>(codec: Codec<T>, value: T): T {
  const json: unknown = JSON.parse(JSON.stringify(codec.toJson(value)));
  const read = readJson(codec, json as Json); // JSON.parse gives nothing but JSON
  if (read.ok) return read.value;
  throw new Error(`${read.error.problem} at ${read.error.path}`);
}

export const readerOf =
  <T>(name: string, codec: Codec<T>): Reader =>
  (bytes) => {
    const decoded = decodeWhole(name, codec, bytes);
    if (!decoded.ok) return err(decoded.error);
    const { value } = decoded;
    return ok({
      value,
      encoded: () => written(codec, value),
      encodedFromJson: () => written(codec, fromJson(codec, value)),
    });
  };

export const READERS: Readonly<Record<VectorKind, Reader>> = {
  update: readerOf("update", channelMonitorUpdate),
  monitor: readerOf("monitor", channelMonitor),
  event: readerOf("event", monitorEvent),
  htlcUpdate: readerOf("htlcUpdate", htlcUpdate),
  source: readerOf("source", htlcSource),
  spendable: readerOf("spendable", spendableOutputDescriptor),
};
