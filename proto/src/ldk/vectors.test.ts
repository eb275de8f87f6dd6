/**
 * Every blob that real LDK nodes wrote decodes to its last byte. The counts come from the same bytes read
 * by an independent decoder in Python.
 */
import assert from "node:assert/strict";
import { describeFailure, type DecodeFailure } from "./cursor.js";
import type { Result } from "../result.js";
import { decodeHtlcUpdate, decodeMonitorEvent } from "./monitor-events.js";
import { writtenBy } from "./monitor-trailer.js";
import { decodeChannelMonitor, type LdkChannelMonitor } from "./monitor.js";
import { commitmentTransaction } from "./commitment.js";
import { spendableOutputDescriptor } from "./spendable.js";
import { decodeAll } from "./testing/build.js";
import { fixtureBlobs, vectorRows } from "./load-vectors.test.js";
import { decodeMonitorUpdate, type LdkMonitorUpdate } from "./update.js";

function whole<T>(result: Result<T, DecodeFailure>, what: string): T {
  if (!result.ok) assert.fail(`${what}: ${describeFailure(result.error)}`);
  return result.value;
}

function tally(kinds: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of [...kinds].sort()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

const stepKinds = (update: LdkMonitorUpdate): readonly string[] =>
  update.steps.map(({ value }) => value.kind);

function factKinds(monitor: LdkChannelMonitor): readonly string[] {
  const { onchainTxHandler: handler, waitingFacts, pendingEvents, trailer } = monitor;
  return [
    ...handler.pendingClaims.flatMap(({ claim }) =>
      claim.inputs.map(({ solving }) => `claim ${solving.kind}`),
    ),
    ...handler.locktimedPackages.map(() => "locktimed"),
    ...handler.waitingSpends.map(({ event }) => `spend ${event.kind}`),
    ...waitingFacts.map(({ event }) => `fact ${event.kind}`),
    ...pendingEvents.map(({ kind }) => `event ${kind}`),
    ...(trailer.pendingMonitorEvents ?? []).map(({ value }) => `monitorEvent ${value.kind}`),
  ];
}

describe("recorded LDK bytes", () => {
  const rows = vectorRows();

  it("updates of the vectors decode whole", () => {
    const updates = rows.filter(({ kind }) => kind === "update");
    const kinds = updates.flatMap(({ run, node, label, bytes }) => {
      const update = whole(decodeMonitorUpdate(bytes), `${run} ${node} ${label}`);
      assert.equal(update.updateId, BigInt(label.replace(/\D/g, "")));
      return stepKinds(update);
    });
    assert.deepEqual(tally(kinds), {
      channelForceClosed: 8,
      commitmentSecret: 112,
      latestCounterpartyCommitmentInfo: 112,
      latestHolderCommitmentInfo: 112,
      paymentPreimage: 17,
    });
  });

  it("monitors of the vectors decode whole", () => {
    const monitors = rows.filter(({ kind }) => kind === "monitor");
    assert.equal(monitors.length, 364);
    const kinds = monitors.flatMap(({ run, node, label, bytes }) => {
      const monitor = whole(decodeChannelMonitor(bytes), `${run} ${node} ${label}`);
      assert.equal(writtenBy(monitor.trailer), "0.1");
      return factKinds(monitor);
    });
    assert.deepEqual(tally(kinds), {
      "claim counterpartyOfferedHtlc": 12,
      "claim counterpartyReceivedHtlc": 87,
      "claim holderFunding": 25,
      "claim holderHtlc": 96,
      "claim revokedHtlcOutput": 27,
      "claim revokedOutput": 11,
      "event spendableOutputs": 2,
      "fact fundingSpendConfirmation": 64,
      "fact htlcSpendConfirmation": 11,
      "fact htlcUpdate": 16,
      "fact maturingOutput": 117,
      locktimed: 86,
      "monitorEvent holderForceClosed": 3,
      "monitorEvent holderForceClosedWithInfo": 3,
      "monitorEvent htlcEvent": 2,
      "spend claim": 30,
    });
  });

  it("first monitors and updates of the fixtures decode whole", () => {
    const kinds = fixtureBlobs("timeline/update").flatMap((bytes, at) =>
      stepKinds(whole(decodeMonitorUpdate(bytes), `update ${at}`)),
    );
    assert.deepEqual(tally(kinds), {
      channelForceClosed: 24,
      commitmentSecret: 314,
      latestCounterpartyCommitmentInfo: 315,
      latestHolderCommitmentInfo: 314,
      paymentPreimage: 70,
    });
    const monitors = fixtureBlobs("timeline/monitor");
    assert.equal(monitors.length, 28);
    for (const [at, bytes] of monitors.entries()) {
      whole(decodeChannelMonitor(bytes), `monitor ${at}`);
    }
  });

  it("monitor events of the fixtures decode whole", () => {
    const kinds = fixtureBlobs("timeline/events/hex").map(
      (bytes, at) => whole(decodeMonitorEvent(bytes), `event ${at}`).kind,
    );
    assert.deepEqual(tally(kinds), {
      completed: 61,
      holderForceClosedWithInfo: 10,
      htlcEvent: 23,
    });
    const htlcs = fixtureBlobs("timeline/events/htlc_event/hex");
    for (const bytes of htlcs) whole(decodeHtlcUpdate(bytes), "HTLCUpdate");
    assert.equal(htlcs.length, 23);
  });

  it("commitments and spendable outputs of the fixtures decode whole", () => {
    const commitments = fixtureBlobs("/counterparty_commitments/hex");
    assert.equal(commitments.length, 292);
    for (const bytes of commitments) decodeAll(commitmentTransaction, bytes);
    const outputs = fixtureBlobs("/event/outputs/hex");
    assert.equal(outputs.length, 48);
    for (const bytes of outputs) decodeAll(spendableOutputDescriptor, bytes);
  });

  it("reads a monitor the way LDK's updating persister stores it", () => {
    const row = rows.find(({ kind }) => kind === "monitor");
    assert.ok(row !== undefined);
    const stored = decodeChannelMonitor(Uint8Array.of(0xff, 0xff, ...row.bytes));
    assert.deepEqual(stored, decodeChannelMonitor(row.bytes));
  });

  it("keeps the exact bytes of every step and source", () => {
    const row = rows.find(({ kind, label }) => kind === "update" && label === "5");
    assert.ok(row !== undefined);
    const { steps } = whole(decodeMonitorUpdate(row.bytes), "update");
    const length = steps.reduce((sum, { raw }) => sum + raw.length, 0);
    const [first] = steps;
    assert.ok(first !== undefined);
    assert.deepEqual(first.raw, row.bytes.subarray(18, 18 + first.raw.length));
    assert.ok(length < row.bytes.length - 18);
  });
});
