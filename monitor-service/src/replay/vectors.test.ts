/**
 * Runs of real LDK nodes without their blocks: after the same updates the core knows what LDK's own
 * monitors, written along the way, know; after the same confirmations it spends the same outputs.
 */
import assert from "node:assert/strict";
import { toHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { outpointKey } from "@farwatch/protocol/ids";
import type { LdkChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { decodeMonitorUpdate } from "@farwatch/protocol/ldk/update";
import { vectorRows, type VectorRow } from "@farwatch/protocol/ldk/load-vectors.test";
import { deriveSecret, minSeenIndex, NO_INDEX_SEEN } from "../bolt/per-commitment-secrets.js";
import type { MonitorState } from "../monitor/state.js";
import { parseTx } from "../tx/parsed-tx.js";
import { toCommitmentNumber } from "@farwatch/protocol/ldk/convert/commitment";
import { sourceKeyOf } from "@farwatch/protocol/ldk/convert/source";
import { confirmedIn, decoded, VectorRun } from "./testing/vector-run.js";

const EMPTY_SLOT = 2n ** 48n;

function assertSameCommitments(state: MonitorState, monitor: LdkChannelMonitor): void {
  assert.equal(state.latestUpdateId, monitor.latestUpdateId);
  assert.equal(state.counterparty.txid, monitor.counterpartyCommitmentTxid);
  assert.equal(state.counterpartyPrevious?.txid, monitor.previousCounterpartyCommitmentTxid);
  assert.equal(state.holder.txid, monitor.holderTx.txid);
  assert.equal(state.holderPrevious?.txid, monitor.previousHolderTx?.txid);
  const { counterpartyCommitmentNumber: theirs, holderCommitmentNumber: ours } = monitor;
  assert.equal(state.counterparty.commitmentNumber, toCommitmentNumber(theirs));
  assert.equal(state.holder.commitmentNumber, toCommitmentNumber(ours));
  assert.deepEqual(
    [...state.holder.htlcs].map(({ source }) => source?.opaque),
    monitor.holderTx.htlcs.map(({ source }) => source?.raw),
  );
}

function assertSameSecrets(state: MonitorState, monitor: LdkChannelMonitor): void {
  const known = monitor.commitmentSecrets.filter(({ index }) => index !== EMPTY_SLOT);
  for (const { secret, index } of known) {
    assert.deepEqual(deriveSecret(state.secrets, index), secret);
  }
  const lowest = known.reduce((least, { index }) => (index < least ? index : least), NO_INDEX_SEEN);
  assert.equal(minSeenIndex(state.secrets), lowest);
}

/**
 * Ours may hold more than LDK's: what one of our own commitments named when the counterparty revoked last,
 * because that commitment could still confirm (contract 2.11).
 */
function assertSamePreimages({ channel, kept }: VectorRun, monitor: LdkChannelMonitor): void {
  const { preimages, counterpartyFulfilled = [] } = monitor.trailer;
  const { state } = channel;
  const ours = new Map<string, Uint8Array>(state.preimages);
  for (const { key, value } of preimages) {
    assert.deepEqual(ours.get(key), value.preimage, `preimage of ${key}`);
    ours.delete(key);
  }
  assert.deepEqual(
    [...ours.keys()].filter((hash) => !kept.hashes.has(hash)),
    [],
  );
  const fulfilled = new Map<string, Uint8Array>(state.fulfilled);
  for (const { key, value } of counterpartyFulfilled) {
    assert.deepEqual(fulfilled.get(sourceKeyOf(key)), value);
    fulfilled.delete(sourceKeyOf(key));
  }
  assert.deepEqual(
    [...fulfilled.keys()].filter((key) => !kept.sources.has(key)),
    [],
  );
}

/** Outputs of the closing commitment that LDK claims or will claim at their locktime. */
const claimedByLdk = ({ onchainTxHandler: handler }: LdkChannelMonitor): readonly string[] =>
  [
    ...handler.pendingClaims.map(({ claim }) => claim),
    ...handler.locktimedPackages.flatMap(({ packages }) => packages),
  ]
    .flatMap(({ inputs }) => inputs)
    .filter(({ solving }) => solving.kind !== "holderFunding")
    .map(({ outpoint }) => outpointKey(outpoint));

const claimedByUs = (state: MonitorState): readonly string[] => [
  ...state.claims.flatMap(({ inputs }) => inputs.map(({ outpoint }) => outpointKey(outpoint))),
  ...state.holderHtlcClaims
    .filter(({ htlc, preimage }) => htlc.offered || preimage !== undefined)
    .map((claim) => outpointKey({ txid: claim.commitmentTxid, vout: claim.outputIndex })),
];

function assertSameClaims(
  { channel: { state }, spent }: VectorRun,
  monitor: LdkChannelMonitor,
): void {
  if (state.spend === undefined) return;
  const open = (outpoints: readonly string[]): readonly string[] =>
    [...new Set(outpoints)].filter((outpoint) => !spent.has(outpoint)).sort();
  assert.deepEqual(open(claimedByUs(state)), open(claimedByLdk(monitor)));
}

/** Events that LDK's node had not taken yet when the monitor was written. */
function assertTold({ events }: VectorRun, monitor: LdkChannelMonitor): void {
  const told = events.map(({ body }) => body);
  for (const { value } of monitor.trailer.pendingMonitorEvents ?? []) {
    if (value.kind === "htlcEvent") {
      const preimage = value.preimage === undefined ? undefined : toHex(value.preimage);
      const same = told.some(
        (body) =>
          body.kind === "htlcEvent" &&
          body.paymentHash === value.paymentHash &&
          preimage ===
            (body.resolution.kind === "claimed" ? toHex(body.resolution.preimage) : undefined),
      );
      assert.ok(same, `outcome of ${value.paymentHash}`);
    } else if (value.kind !== "unknown" && value.kind.startsWith("holderForceClosed")) {
      assert.ok(told.some(({ kind }) => kind === "holderForceClosed"));
    } else {
      assert.fail(value.kind);
    }
  }
}

/**
 * Every transaction the recorded monitor sent spends outputs that we were spending at that height too,
 * unless they were spent by then: LDK 0.1.0 goes on claiming what the counterparty has taken. Our own commitment and its second stages are fixed to the byte: there it is the same transaction.
 */
function assertSameSpends({ journal, channel, spent }: VectorRun, row: VectorRow): void {
  const tx = parseTx(row.bytes);
  const height = Number(row.label.slice(1));
  const ofChannel = tx.inputs.filter(({ outpoint }) => {
    const { parameters, spend, holderBroadcast } = channel.state;
    const closing = [spend?.txid, holderBroadcast?.commitment.txid];
    return (
      outpointKey(outpoint) === outpointKey(parameters.funding) || closing.includes(outpoint.txid)
    );
  });
  for (const { outpoint } of ofChannel) {
    const key = outpointKey(outpoint);
    const coverage = journal.coverageOf(key);
    if ((spent.get(key) ?? Infinity) < height) {
      assert.ok((coverage?.last ?? 0) < height, `${row.label} ${key} is spent, and claimed by us`);
      continue;
    }
    assert.ok(coverage !== undefined, `${row.label} ${tx.txid}: ${key} never spent`);
    assert.ok(coverage.first <= height && height <= coverage.last, `${row.label} ${key}`);
    const ours = journal.broadcasts.filter(({ spends }) => spends.map(outpointKey).includes(key));
    if (ours.some(({ role }) => role.startsWith("holder"))) {
      assert.ok(
        ours.some(({ txid }) => txid === tx.txid),
        `${row.label} ${tx.txid}`,
      );
    }
  }
}

/** Of a commitment (BOLT 3: the top byte of its locktime); a cooperative close is the node's own. */
const isCooperative = (row: VectorRow): boolean =>
  row.run.endsWith("coop") && parseTx(row.bytes).locktime >>> 24 !== COMMITMENT_LOCKTIME;
const COMMITMENT_LOCKTIME = 0x20;

function assertSame(run: VectorRun, monitor: LdkChannelMonitor, where: string): void {
  const { state } = run.channel;
  try {
    assertSameCommitments(state, monitor);
    assertSameSecrets(state, monitor);
    assertSamePreimages(run, monitor);
    assertSameClaims(run, monitor);
    assertTold(run, monitor);
  } catch (error) {
    if (error instanceof Error) error.message = `${where}: ${error.message}`;
    throw error;
  }
}

function replayRows(run: VectorRun, rows: readonly VectorRow[]): void {
  const [first, ...rest] = rows.filter(({ kind }) => kind === "monitor" || kind === "update");
  run.watch(first ?? assert.fail("no rows"));
  for (const [at, row] of rest.entries()) {
    if (row.kind === "update") {
      const update = decodeMonitorUpdate(row.bytes);
      // LDK 0.1.0's bindings hand out an empty update when a block makes the monitor persist.
      if (update.ok && update.value.steps.length > 0) run.update(row);
    } else {
      const monitor = decoded(row);
      run.mineTo(monitor.bestBlock.height);
      assertSame(run, monitor, `row ${at}, ${row.label}`);
    }
  }
}

describe("runs of LDK without blocks", () => {
  let curve: Curve = nobleCurve;
  before(async () => {
    ({ curve } = await selectCurve("auto"));
  });
  const rows = vectorRows();
  const runs = [...new Set(rows.map(({ run }) => run))];

  for (const name of runs) {
    const ofRun = rows.filter(({ run }) => run === name);
    for (const node of ["a", "b"]) {
      it(`${name} ${node}: the same knowledge and claims as in LDK's monitors`, () => {
        const run = new VectorRun(curve, node, confirmedIn(ofRun));
        const ofNode = ofRun.filter((row) => row.node === node);
        replayRows(run, ofNode);
        const sent = ofNode.filter((row) => row.kind === "tx" && !isCooperative(row));
        for (const row of sent) assertSameSpends(run, row);
        assert.ok(run.journal.broadcasts.every(({ signaturesValid }) => signaturesValid));
      });
    }
  }
});
