/**
 * What is fuzzed: each decoder on its own, the framing under them, and the conversion into our words. A
 * target takes any bytes and says what it saw; an input that shows something new is kept to go on from.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import { assert } from "@farwatch/protocol/assert";
import { MAX_LDK_MONITOR_BYTES } from "@farwatch/protocol/convert/limits";
import type { Codec } from "@farwatch/protocol/ldk/codec";
import { rest } from "@farwatch/protocol/ldk/collections";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { readLdkUpdate } from "@farwatch/protocol/ldk/convert/read-update";
import type { DecodeFailure } from "@farwatch/protocol/ldk/cursor";
import { htlcSource } from "@farwatch/protocol/ldk/htlc-source";
import { htlcUpdate, monitorEvent } from "@farwatch/protocol/ldk/monitor-events";
import { channelMonitor } from "@farwatch/protocol/ldk/monitor";
import { u32, u64, restBytes } from "@farwatch/protocol/ldk/primitives";
import { spendableOutputDescriptor } from "@farwatch/protocol/ldk/spendable";
import { optional, required, tlvStruct } from "@farwatch/protocol/ldk/tlv";
import { channelMonitorUpdate } from "@farwatch/protocol/ldk/update";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { REASONS, type Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import { readerOf, type Read } from "../contract/ldk-codec/decoders.js";
import { bytes, Draw } from "../harness/ldk-bytes/primitives.js";
import { encodeWire, restOf, structOf, type Built } from "../harness/ldk-bytes/wire.js";
import * as seeds from "./seeds.js";
import type { Seen } from "./seen.js";
import { shapeOf } from "./shape.js";

export interface Target {
  readonly name: string;
  readonly seeds: () => readonly Uint8Array[];
  readonly run: (input: Uint8Array) => Seen;
  /** Where one input may take longer than `MAX_MS`. */
  readonly maxMs?: number;
}

/** Looking for the counterparty's values to its end (`MAX_CANDIDATES`): one to three seconds. */
const SEARCH_MS = 8_000;

/** The JSON form is tried on one decoded input of so many; it costs ten times the decoding. */
const JSON_EVERY = 16;

function failureOf({ problem, offset, place }: DecodeFailure, length: number): Seen {
  const features = [`refused ${problem.kind} ${place.replace(/\d+/g, "0")}`];
  if (offset < 0 || offset > length) return { features, wrong: `offset ${offset} of ${length}` };
  return place === "" ? { features, wrong: "no place" } : { features };
}

function readOf(read: Read, input: Uint8Array, withJson: boolean): Seen {
  const { features, wrong } = shapeOf(read.value, input.length);
  if (wrong !== undefined) return { features, wrong };
  if (!equalBytes(read.encoded(), input)) return { features, wrong: "encodes to other bytes" };
  if (withJson && !equalBytes(read.encodedFromJson(), input)) {
    return { features, wrong: "its JSON encodes to other bytes" };
  }
  return { features };
}

function decoder<T>(name: string, codec: Codec<T>, startFrom: () => readonly Uint8Array[]): Target {
  const reader = readerOf(name, codec);
  let decoded = 0;
  return {
    name,
    seeds: startFrom,
    run: (input) => {
      const result = reader(input);
      if (!result.ok) return failureOf(result.error, input.length);
      decoded += 1;
      return readOf(result.value, input, decoded % JSON_EVERY === 1);
    },
  };
}

/** A struct in a struct in a struct, with all kinds of fields. */
const leaf = tlvStruct("leaf", { id: required(0, u64), note: optional(1, restBytes) });
const branch = tlvStruct("branch", {
  leaves: required(0, rest(leaf)),
  height: optional(1, u32),
  spare: optional(253, leaf),
});
const framing = tlvStruct("framing", {
  branches: optional(1, rest(branch)),
  main: required(2, branch),
});

function framingSeeds(): readonly Uint8Array[] {
  const draw = new Draw("framing");
  const leafOf = (): Built =>
    structOf([
      [0, "id", draw.id()],
      [1, "note", bytes(draw.data(3))],
    ]);
  const branchOf = (): Built =>
    structOf([
      [0, "leaves", restOf([leafOf(), leafOf()])],
      [1, "height", draw.height()],
      [253, "spare", leafOf()],
    ]);
  const whole = structOf([
    [1, "branches", restOf([branchOf(), branchOf()])],
    [2, "main", branchOf()],
  ]);
  return [encodeWire(whole.wire)];
}

function refusalOf({ reason, message, details }: Refusal): Seen {
  const features = [`refused ${reason} ${details?.["field"] ?? ""} ${details?.["place"] ?? ""}`];
  if (!Object.hasOwn(REASONS, reason)) return { features, wrong: `no reason of ours: ${reason}` };
  return message === "" ? { features, wrong: "no message" } : { features };
}

const converted = (result: Result<unknown, Refusal>, length: number): Seen =>
  result.ok ? shapeOf(result.value, length) : refusalOf(result.error);

const CHAIN_HASH = "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f";

/** The one that the services take. */
const { curve } = await selectCurve("auto");

function monitorConversion(): Target {
  return {
    name: "convert-monitor",
    maxMs: SEARCH_MS,
    seeds: seeds.monitorSeeds,
    run: (input) => converted(readLdkMonitor(input, CHAIN_HASH, curve), input.length),
  };
}

function updateConversion(): Target {
  const [first] = seeds.firstMonitors();
  assert(
    first !== undefined && first.length < MAX_LDK_MONITOR_BYTES,
    "a first monitor to start from",
  );
  const read = readLdkMonitor(first, CHAIN_HASH, curve);
  assert(read.ok, "a first monitor that converts");
  const { initial } = read.value;
  return {
    name: "convert-update",
    seeds: seeds.updateSeeds,
    run: (input) =>
      converted(
        readLdkUpdate(input, () => initial),
        input.length,
      ),
  };
}

export const targets = (): readonly Target[] => [
  decoder("update", channelMonitorUpdate, seeds.updateSeeds),
  decoder("monitor", channelMonitor, seeds.monitorSeeds),
  decoder("event", monitorEvent, seeds.eventSeeds),
  decoder("htlc-update", htlcUpdate, seeds.htlcUpdateSeeds),
  decoder("source", htlcSource, seeds.sourceSeeds),
  decoder("spendable", spendableOutputDescriptor, seeds.spendableSeeds),
  decoder("framing", framing, framingSeeds),
  monitorConversion(),
  updateConversion(),
];
