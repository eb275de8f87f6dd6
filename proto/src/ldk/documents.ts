/**
 * LDK's values that stand alone in a file, for people: recognised by their bytes or named, as JSON that says
 * what it is, `{"type": "update", "value": {...}}`, and back.
 */
import { err, ok, type Result } from "../result.js";
import type { Codec } from "./codec.js";
import { decodeWhole, describeFailure, type DecodeFailure } from "./cursor.js";
import { htlcSource } from "./htlc-source.js";
import {
  jsonAt,
  jsonObject,
  jsonText,
  readJson,
  refuseJson,
  refuseOtherKeys,
  type Json,
  type JsonFailure,
} from "./json.js";
import { htlcUpdate, monitorEvent } from "./monitor-events.js";
import { channelMonitor, persistedMonitor } from "./monitor.js";
import { spendableOutputDescriptor } from "./spendable.js";
import { channelMonitorUpdate } from "./update.js";
import { encodeWhole, type EncodeFailure } from "./writer.js";

export const DOCUMENT_TYPES = [
  "monitor",
  "storedMonitor",
  "update",
  "event",
  "htlcUpdate",
  "source",
  "spendableOutput",
] as const;
export type DocumentType = (typeof DOCUMENT_TYPES)[number];

export const isDocumentType = (name: string): name is DocumentType =>
  DOCUMENT_TYPES.some((type) => type === name);

/** With the value of another type hidden, all of them are alike. */
interface Reader {
  readonly type: DocumentType;
  readonly toJson: (bytes: Uint8Array) => Result<Json, DecodeFailure>;
  readonly fromJson: (json: Json, path: string) => Result<Uint8Array, EncodeFailure>;
}

const readerOf = <T>(type: DocumentType, codec: Codec<T>): Reader => ({
  type,
  toJson: (bytes) => {
    const decoded = decodeWhole(type, codec, bytes);
    return decoded.ok ? ok(codec.toJson(decoded.value)) : decoded;
  },
  fromJson: (json, path) => encodeWhole(type, codec, codec.fromJson(json, path)),
});

const READERS: Readonly<Record<DocumentType, Reader>> = {
  monitor: readerOf("monitor", channelMonitor),
  /** As LDK's updating persister stores it. */
  storedMonitor: readerOf("storedMonitor", persistedMonitor),
  update: readerOf("update", channelMonitorUpdate),
  event: readerOf("event", monitorEvent),
  htlcUpdate: readerOf("htlcUpdate", htlcUpdate),
  source: readerOf("source", htlcSource),
  spendableOutput: readerOf("spendableOutput", spendableOutputDescriptor),
};

export interface LdkDocument {
  readonly type: DocumentType;
  readonly value: Json;
}

interface Attempt {
  readonly type: DocumentType;
  readonly failure: DecodeFailure;
}

export type DocumentFailure =
  /** Of each type that was tried, the one that came furthest first. */
  | { readonly kind: "malformed"; readonly attempts: readonly Attempt[] }
  | { readonly kind: "ambiguous"; readonly types: readonly DocumentType[] }
  | { readonly kind: "json"; readonly failure: JsonFailure }
  | { readonly kind: "unwritable"; readonly failure: EncodeFailure };

/** Any odd number and a length make an unknown event: bytes are taken for one only when it is named. */
const isUnknown = (value: Json): boolean => jsonAt(jsonObject(value, "$"), "kind") === "unknown";

/** What the bytes are, if one reader alone uses them up; a `type` asks only its own. */
export function decodeDocument(
  bytes: Uint8Array,
  type?: DocumentType,
): Result<LdkDocument, DocumentFailure> {
  const found: LdkDocument[] = [];
  const attempts: Attempt[] = [];
  for (const candidate of type === undefined ? DOCUMENT_TYPES : [type]) {
    const read = READERS[candidate].toJson(bytes);
    if (!read.ok) attempts.push({ type: candidate, failure: read.error });
    else if (type !== undefined || !isUnknown(read.value)) {
      found.push({ type: candidate, value: read.value });
    }
  }
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return ok(only);
  if (only !== undefined) {
    return err({ kind: "ambiguous", types: found.map(({ type: name }) => name) });
  }
  attempts.sort((a, b) => b.failure.offset - a.failure.offset);
  return err({ kind: "malformed", attempts });
}

const DOCUMENT_KEYS = new Set(["type", "value"]);

const document = {
  fromJson: (json: Json, path: string): Result<Uint8Array, EncodeFailure> => {
    const object = jsonObject(json, path);
    refuseOtherKeys(object, DOCUMENT_KEYS, path);
    const type = jsonText(jsonAt(object, "type") ?? null, `${path}.type`);
    if (!isDocumentType(type)) {
      return refuseJson(`${path}.type`, `none of ${DOCUMENT_TYPES.join(", ")}`);
    }
    const value = jsonAt(object, "value");
    if (value === undefined) return refuseJson(`${path}.value`, "missing");
    return READERS[type].fromJson(value, `${path}.value`);
  },
};

/** The bytes of what `decodeDocument` gave, as it was or changed. */
export function encodeDocument(json: Json): Result<Uint8Array, DocumentFailure> {
  const read = readJson(document, json);
  if (!read.ok) return err({ kind: "json", failure: read.error });
  const encoded = read.value;
  return encoded.ok ? encoded : err({ kind: "unwritable", failure: encoded.error });
}

/** Monitors and updates begin alike: the second may be what was meant. */
const TOLD_ATTEMPTS = 2;

/** One line for people: what, where. It quotes nothing of the value. */
export function describeDocumentFailure(failure: DocumentFailure): string {
  switch (failure.kind) {
    case "malformed":
      return failure.attempts
        .slice(0, TOLD_ATTEMPTS)
        .map((attempt) => `read as ${attempt.type}: ${describeFailure(attempt.failure)}`)
        .join("; ");
    case "ambiguous":
      return `may be ${failure.types.join(" or ")}`;
    case "json":
      return `${failure.failure.problem} at ${failure.failure.path}`;
    case "unwritable":
      return `${failure.failure.problem} at ${failure.failure.place}`;
  }
}
