/**
 * A stored log row as the input it once was. Every hash is checked again, so that a damaged row stops
 * its channel instead of changing its state. Throws on anything unexpected.
 */
import { assert, assertNever, must } from "@farwatch/protocol/assert";
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import { checkPayload } from "@farwatch/protocol/envelope/checks";
import {
  PREIMAGE_BODY_BYTES,
  parsePreimageRecord,
} from "@farwatch/protocol/envelope/preimage-record";
import { hashUpdate, parseUpdate, type UpdateHeader } from "@farwatch/protocol/envelope/update";
import { hashOfPreimage, preimage, type Hash32 } from "@farwatch/protocol/ids";
import type { Result } from "@farwatch/protocol/result";
import type { LearnedPreimage, MonitorInput } from "../monitor/input.js";
import type { PenaltyInput } from "../monitor/penalty/input.js";
import type { MonitorState } from "../monitor/state.js";
import type { LogRow } from "../store/store.js";
import { readPayload } from "./update-payload.js";

const PREIMAGE_BYTES = 32;

/** `state`: that of its channel before the row. */
export function inputOfRow(row: LogRow, state: MonitorState): MonitorInput {
  switch (row.kind) {
    case "update":
      return updateOf(row, state);
    case "preimages":
      return { kind: "preimagesLearned", preimages: preimagesOf(row) };
    case "command":
      return commandOf(row);
    default:
      return assertNever(row.kind);
  }
}

/** Of a penalty-only channel: it has no other rows. */
export function penaltyInputOfRow(row: LogRow): PenaltyInput {
  assert(row.kind === "update", "a penalty-only channel stores updates");
  const { header, updateHash } = headerOf(row);
  const steps = readable(parseUpdatePayload(row.payload), "update payload");
  const { updateId } = header;
  return { kind: "updateReceived", updateId, updateHash, steps };
}

function headerOf(row: LogRow): { readonly header: UpdateHeader; readonly updateHash: Hash32 } {
  const header = readable(parseUpdate(row.header), "update header");
  const updateHash = hashUpdate(row.header);
  assert(updateHash === row.updateHash, "stored update: hash");
  assert(checkPayload(header, row.payload) === undefined, "stored update: payload hash");
  return { header, updateHash };
}

function updateOf(row: LogRow, state: MonitorState): MonitorInput {
  const { header, updateHash } = headerOf(row);
  const steps = readable(
    readPayload(header, row.payload, () => state),
    "update payload",
  );
  const { updateId } = header;
  return { kind: "updateReceived", updateId, updateHash, steps, verifySignatures: false };
}

function preimagesOf({ header, payload }: LogRow): readonly LearnedPreimage[] {
  const count = payload.length / PREIMAGE_BYTES;
  assert(header.length === count * PREIMAGE_BODY_BYTES, "stored preimages: lengths");
  return Array.from({ length: count }, (_, index) => {
    const body = header.subarray(index * PREIMAGE_BODY_BYTES, (index + 1) * PREIMAGE_BODY_BYTES);
    const record = readable(parsePreimageRecord(body), "preimage record");
    const bytes = payload.slice(index * PREIMAGE_BYTES, (index + 1) * PREIMAGE_BYTES);
    const secret = preimage(bytes);
    assert(hashOfPreimage(secret) === record.paymentHash, "stored preimage: hash");
    return { preimage: secret, sourceKey: record.sourceKey };
  });
}

function commandOf(row: LogRow): MonitorInput {
  const parsed: { readonly reason?: unknown; readonly overrideStale?: unknown } = JSON.parse(
    new TextDecoder().decode(row.payload),
  );
  const { reason, overrideStale } = parsed;
  assert(typeof reason === "string" && typeof overrideStale === "boolean", "stored command");
  return { kind: "broadcastHolder", reason, overrideStale };
}

const readable = <T, E>(result: Result<T, E>, what: string): T =>
  must(result.ok ? result.value : undefined, `a readable ${what}`);
