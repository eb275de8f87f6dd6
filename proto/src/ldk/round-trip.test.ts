/** What real LDK nodes wrote comes back byte for byte, from the decoded value and from its JSON. */
import assert from "node:assert/strict";
import { toHex } from "../bytes.js";
import type { Codec } from "./codec.js";
import { commitmentTransaction } from "./commitment.js";
import { decodeWhole, describeFailure } from "./cursor.js";
import { readJson, type Json } from "./json.js";
import { htlcUpdate, monitorEvent } from "./monitor-events.js";
import { channelMonitor, persistedMonitor } from "./monitor.js";
import { spendableOutputDescriptor } from "./spendable.js";
import { fixtureBlobs, vectorRows } from "./load-vectors.test.js";
import { channelMonitorUpdate } from "./update.js";
import { encodeWhole } from "./writer.js";

/** Decodes, encodes, goes through JSON text and encodes again. */
function bothWays<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const decoded = decodeWhole("value", codec, bytes);
  if (!decoded.ok) assert.fail(describeFailure(decoded.error));
  const encoded = encodeWhole("value", codec, decoded.value);
  if (!encoded.ok) assert.fail(`${encoded.error.problem} at ${encoded.error.place}`);
  assert.equal(toHex(encoded.value), toHex(bytes));
  const text = JSON.stringify(codec.toJson(decoded.value));
  const read = readJson(codec, JSON.parse(text) as Json);
  if (!read.ok) assert.fail(`${read.error.problem} at ${read.error.path}`);
  assert.deepEqual(read.value, decoded.value);
  return read.value;
}

describe("LDK bytes both ways", () => {
  const rows = vectorRows();
  const ofKind = (kind: string) => rows.filter((row) => row.kind === kind);

  it("updates", () => {
    const updates = [
      ...ofKind("update").map(({ bytes }) => bytes),
      ...fixtureBlobs("timeline/update"),
    ];
    for (const bytes of updates) bothWays(channelMonitorUpdate, bytes);
    assert.ok(updates.length >= 480);
  });

  it("monitors", () => {
    const monitors = ofKind("monitor");
    assert.equal(monitors.length, 364);
    for (const { bytes } of monitors) bothWays(channelMonitor, bytes);
    for (const bytes of fixtureBlobs("timeline/monitor")) bothWays(channelMonitor, bytes);
    const [{ bytes } = assert.fail()] = monitors;
    bothWays(persistedMonitor, Uint8Array.of(0xff, 0xff, ...bytes));
  });

  it("events, commitments and spendable outputs", () => {
    for (const bytes of fixtureBlobs("timeline/events/hex")) bothWays(monitorEvent, bytes);
    const htlcs = fixtureBlobs("timeline/events/htlc_event/hex");
    for (const bytes of htlcs) bothWays(htlcUpdate, bytes);
    const commitments = fixtureBlobs("/counterparty_commitments/hex");
    for (const bytes of commitments) bothWays(commitmentTransaction, bytes);
    const outputs = fixtureBlobs("/event/outputs/hex");
    for (const bytes of outputs) bothWays(spendableOutputDescriptor, bytes);
  });
});
