/**
 * First states out of recorded monitors of LDK, new ones and those of channels in use: the same bytes give the
 * same payload, and what cannot be taken over is refused with its cause.
 */
import assert from "node:assert/strict";
import { equalBytes } from "../../bytes.js";
import { parseInitialState } from "../../convert/channel.js";
import { nobleCurve } from "../../curve/noble-curve.js";
import { txid } from "../../ids.js";
import { vectorRows } from "../load-vectors.test.js";
import { decodeChannelMonitor, encodeChannelMonitor, type LdkChannelMonitor } from "../monitor.js";
import { LEGACY_CLOSED_UPDATE_ID } from "../update.js";
import { htlcsOfRevoked } from "./revoked-htlcs.js";
import { readLdkMonitor } from "./read-monitor.js";

const REGTEST = "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f";
const OTHER = txid("ab".repeat(32));

const read = (bytes: Uint8Array) => readLdkMonitor(bytes, REGTEST, nobleCurve);
const decoded = (bytes: Uint8Array): LdkChannelMonitor => {
  const result = decodeChannelMonitor(bytes);
  return result.ok ? result.value : assert.fail(result.error.problem.kind);
};
/** What is wrong with the monitor once it is changed: reason and cause or field. */
function refused(monitor: LdkChannelMonitor, change: Partial<LdkChannelMonitor>): string {
  const bytes = encodeChannelMonitor({ ...monitor, ...change });
  assert.ok(bytes.ok);
  const result = read(bytes.value);
  if (result.ok) return "taken";
  const { reason, details } = result.error;
  return `${reason} ${details["cause"] ?? details["field"]}`;
}

describe("a first state from LDK's monitor", function () {
  this.timeout(60_000);
  const monitors = vectorRows().filter(({ kind }) => kind === "monitor");
  const open = monitors.filter(({ bytes }) => {
    const { trailer, lockdownFromOffchain, holderTxSigned } = decoded(bytes);
    return trailer.fundingSpendSeen !== true && !lockdownFromOffchain && !holderTxSigned;
  });
  const inUse = open.map(({ bytes }) => decoded(bytes));
  const unrevoked = inUse.find((each) => each.previousCounterpartyCommitmentTxid !== undefined);
  const late = inUse.find(({ counterpartyHtlcs }) => counterpartyHtlcs.length > 5);

  it("is the same for the same bytes, holds them, and is read back as it was", () => {
    assert.ok(open.length > 100);
    for (const { bytes } of open.filter((_, index) => index % 8 === 0)) {
      const first = read(bytes);
      const again = read(Uint8Array.from(bytes));
      assert.ok(first.ok && again.ok);
      assert.deepEqual(first.value.payload, again.value.payload);
      assert.equal(first.value.firstUpdateId, first.value.latestUpdateId + 1n);
      const parsed = parseInitialState(first.value.payload);
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value, first.value.initial);
      assert.ok(equalBytes(parsed.value.ldkMonitor ?? new Uint8Array(0), bytes));
    }
  });

  it("is refused when no values fit the counterparty's commitment", () => {
    assert.ok(late !== undefined);
    const { counterpartyCommitmentTxid: current } = late;
    const counterpartyHtlcs = late.counterpartyHtlcs.map((each) =>
      each.commitmentTxid === current ? { ...each, commitmentTxid: OTHER } : each,
    );
    assert.equal(
      refused(late, { counterpartyCommitmentTxid: OTHER, counterpartyHtlcs }),
      "notImportable counterpartyValues",
    );
    assert.equal(
      refused(late, { counterpartyCommitmentTxid: OTHER }),
      "malformed counterparty_claimable_outpoints",
    );
  });

  it("is refused when none fit the one that is not revoked yet: the channel has to be quiet", () => {
    assert.ok(unrevoked !== undefined);
    const { previousCounterpartyCommitmentTxid: before } = unrevoked;
    const counterpartyHtlcs = unrevoked.counterpartyHtlcs.map((each) =>
      each.commitmentTxid === before ? { ...each, commitmentTxid: OTHER } : each,
    );
    assert.equal(
      refused(unrevoked, { previousCounterpartyCommitmentTxid: OTHER, counterpartyHtlcs }),
      "notImportable revocationPending",
    );
  });

  it("is refused with a point that is none, and without the one that is needed", () => {
    assert.ok(late !== undefined);
    const points = late.counterpartyPoints ?? assert.fail("points");
    const field = "malformed their_cur_per_commitment_points";
    const bad = Uint8Array.from(points.first).fill(0xff, 1);
    assert.equal(
      refused(late, { counterpartyPoints: { ...points, first: bad, second: bad } }),
      field,
    );
    assert.equal(refused(late, { counterpartyPoints: { ...points, second: undefined } }), field);
    assert.equal(refused(late, { counterpartyPoints: undefined }), field);
    const parameters = { ...late.onchainTxHandler.parameters };
    const holderPubkeys = { ...parameters.holderPubkeys, htlcBasepoint: bad };
    const onchainTxHandler = {
      ...late.onchainTxHandler,
      parameters: { ...parameters, holderPubkeys },
    };
    assert.equal(refused(late, { onchainTxHandler }), "malformed htlcBasepoint");
  });

  it("is refused with the update id that LDK before 0.1 gave closed channels", () => {
    assert.ok(late !== undefined);
    assert.equal(
      refused(late, { latestUpdateId: LEGACY_CLOSED_UPDATE_ID }),
      "rangeExceeded latest_update_id",
    );
  });

  it("says where bytes end that are cut off, and quotes none", () => {
    const [{ bytes } = assert.fail("a monitor")] = open;
    for (const length of [0, 1, 100, bytes.length - 1]) {
      const result = read(bytes.slice(0, length));
      assert.ok(!result.ok && result.error.reason === "malformed");
      assert.equal(result.error.details["field"], "ldk_monitor");
      assert.ok(Number(result.error.details["offset"]) <= length);
    }
  });

  it("finds the HTLCs of every commitment that was revoked", () => {
    const row = open.find(({ bytes }) =>
      decoded(bytes).counterpartyHtlcs.some(
        ({ commitmentTxid, htlcs }) =>
          commitmentTxid !== decoded(bytes).counterpartyCommitmentTxid && htlcs.length > 1,
      ),
    );
    assert.ok(row !== undefined);
    for (const { commitmentTxid, htlcs } of decoded(row.bytes).counterpartyHtlcs) {
      const found = htlcsOfRevoked(row.bytes, commitmentTxid);
      assert.deepEqual(
        found?.map(({ paymentHash, outputIndex, offered }) => [paymentHash, outputIndex, offered]),
        htlcs.map(({ htlc }) => [htlc.paymentHash, htlc.outputIndex, htlc.offered]),
      );
    }
    assert.equal(htlcsOfRevoked(row.bytes, OTHER), undefined);
    assert.equal(htlcsOfRevoked(new Uint8Array(3), OTHER), undefined);
  });
});
