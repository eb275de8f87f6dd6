/**
 * Un-acked results of an LDK with persistent monitor events (pull request 4640) come with the import. The
 * monitors are recorded ones with the branch's records added: it has written none that could be recorded.
 */
import assert from "node:assert/strict";
import { hashOfPreimage, preimage, updateId } from "../../ids.js";
import { readImportedEvents, type ImportedEvent } from "../../convert/imported-events.js";
import { nobleCurve } from "../../curve/noble-curve.js";
import { sentIdOf, type RawHtlcSource } from "../htlc-source.js";
import { vectorRows } from "../load-vectors.test.js";
import { decodeChannelMonitor, encodeChannelMonitor, type LdkChannelMonitor } from "../monitor.js";
import type { LdkMonitorEvent } from "../monitor-events.js";
import { filled } from "../testing/build.js";
import { readLdkMonitor } from "./read-monitor.js";
import { sourceKeyOf, toSource } from "./source.js";

const REGTEST = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
const SECRET = preimage(filled(32, 0x99));
const RAW = new Uint8Array(0);

/** A recorded monitor of an open channel with an HTLC that its node sent. */
function monitorWithHtlc(): { monitor: LdkChannelMonitor; source: RawHtlcSource } {
  for (const { kind, bytes } of vectorRows()) {
    if (kind !== "monitor") continue;
    const decoded = decodeChannelMonitor(bytes);
    if (!decoded.ok || !readLdkMonitor(bytes, REGTEST, nobleCurve).ok) continue;
    const monitor = decoded.value;
    const source = monitor.holderTx.htlcs.find((htlc) => htlc.source !== undefined)?.source;
    const isNew = monitor.trailer.counterpartyFulfilled?.length === 0;
    if (source !== undefined && isNew) return { monitor, source };
  }
  return assert.fail("no such monitor");
}

function htlcEvent(
  source: RawHtlcSource,
  more: Partial<Extract<LdkMonitorEvent, { kind: "htlcEvent" }>>,
): { event: { value: LdkMonitorEvent; raw: Uint8Array } } {
  const paymentHash = hashOfPreimage(SECRET);
  return { event: { value: { kind: "htlcEvent", paymentHash, source, ...more }, raw: RAW } };
}

describe("un-acked events of LDK's monitor", () => {
  const { monitor, source } = monitorWithHtlc();
  const id = sentIdOf(source) ?? assert.fail("it was sent");
  assert.ok(source.value.kind === "outboundRoute");
  /** Of an HTLC that no commitment has any more. */
  const removed: RawHtlcSource = {
    raw: filled(4, 1),
    value: { ...source.value, sessionKey: filled(32, 0x42) },
  };

  function imported(trailer: Partial<LdkChannelMonitor["trailer"]>): {
    readonly events: readonly ImportedEvent[];
    readonly fulfilled: readonly string[];
    readonly userChannelId: Uint8Array | undefined;
  } {
    const { pendingMonitorEvents: _, ...before } = monitor.trailer;
    const bytes = encodeChannelMonitor({ ...monitor, trailer: { ...before, ...trailer } });
    assert.ok(bytes.ok, bytes.ok ? "" : `${bytes.error.problem} at ${bytes.error.place}`);
    const read = readLdkMonitor(bytes.value, REGTEST, nobleCurve);
    assert.ok(read.ok, read.ok ? "" : read.error.message);
    const { payload, initial, firstUpdateId } = read.value;
    const events = readImportedEvents(payload, firstUpdateId);
    assert.ok(events.ok);
    const fulfilled = initial.earlier?.fulfilled.map(({ sourceKey }) => sourceKey) ?? [];
    const { userChannelId } = initial.parameters;
    return { events: events.value, fulfilled, userChannelId };
  }

  it("come in the order of their ids, with what they carry", () => {
    const claimed = { kind: "claimed", preimage: SECRET, skimmedFeeMsat: 3n } as const;
    const data = filled(2, 5);
    const failed = {
      kind: "failed",
      reason: { kind: "local", failureCode: 0x1007, data },
    } as const;
    const { events, userChannelId } = imported({
      nextMonitorEventId: 9n,
      userChannelId: 258n,
      identifiedMonitorEvents: [
        { id: 8n, ...htlcEvent(removed, { valueMsat: 7_000n, resolution: failed }) },
        { id: 5n, event: { value: { kind: "commitmentTxConfirmed" }, raw: RAW } },
        { id: 4n, ...htlcEvent(source, { userChannelId: 258n, resolution: claimed }) },
      ],
    });
    assert.equal(events.length, 2);
    const [claim, fail] = events;
    assert.ok(claim?.body.resolution.kind === "claimed");
    assert.deepEqual(claim.body.resolution.preimage, SECRET);
    assert.equal(claim.body.resolution.skimmedFeeMsat, 3n);
    assert.deepEqual(claim.body.source.sourceKey, sourceKeyOf(id));
    assert.equal(claim.body.userChannelId?.at(-2), 1);
    assert.deepEqual(claim.origin, { kind: "update", updateId: updateId(monitor.latestUpdateId) });
    assert.ok(fail?.body.resolution.kind === "failed");
    assert.deepEqual(fail.body.resolution.reason.cause, {
      kind: "local",
      failureCode: 0x1007,
      data,
    });
    assert.equal(fail.body.amountMsat, 7_000n);
    assert.equal(userChannelId?.length, 16);
  });

  it("a claim among them was not told: it is no longer among what the node knows", () => {
    const counterpartyFulfilled = [{ key: id, value: SECRET }];
    const told = imported({ nextMonitorEventId: 1n, counterpartyFulfilled });
    assert.deepEqual(told.fulfilled, [toSource(source).sourceKey]);
    assert.deepEqual(told.events, []);
    const unacked = imported({
      nextMonitorEventId: 5n,
      counterpartyFulfilled,
      identifiedMonitorEvents: [{ id: 4n, ...htlcEvent(source, { legacyPreimage: SECRET }) }],
    });
    assert.deepEqual(unacked.fulfilled, []);
    assert.equal(unacked.events[0]?.body.resolution.kind, "claimed");
  });

  it("a result without a resolution or preimage is a failure of the chain's", () => {
    const { events } = imported({
      nextMonitorEventId: 5n,
      identifiedMonitorEvents: [{ id: 4n, ...htlcEvent(removed, { valueSat: 7n }) }],
    });
    const [event] = events;
    assert.ok(event?.body.resolution.kind === "failed");
    assert.deepEqual(event.body.resolution.reason.cause, { kind: "onChainTimeout" });
    assert.equal(event.body.amountMsat, 7_000n);
  });
});
