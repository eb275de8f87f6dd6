/**
 * What no recording holds: steps and records of LDK 0.1.6 to 0.3, sources of forwards, blinded routes.
 * The bytes are put together here field by field after ldk-binary sections 4 to 6.
 */
import assert from "node:assert/strict";
import { concatBytes } from "../bytes.js";
import { channelTypeOf, featureBits, modifiersOf } from "./channel-type.js";
import { commitmentTransaction } from "./commitment.js";
import { htlcSource, sentIdOf } from "./htlc-source.js";
import { decodeMonitorEvent } from "./monitor-events.js";
import { decodeChannelMonitor } from "./monitor.js";
import { writtenBy } from "./monitor-trailer.js";
import { packageTemplate } from "./package.js";
import { bigSize, decodeAll, filled, key, record, struct, uint, update } from "./testing/build.js";
import { vectorRows } from "./load-vectors.test.js";
import { decodeMonitorUpdate, type LdkUpdateStep } from "./update.js";

const sentForward = concatBytes(uint(0, 1), struct(record(0, uint(77, 8)), record(2, uint(5, 8))));

const previousHop = struct(
  record(0, uint(77, 8)),
  record(2, filled(32, 1), uint(3, 2)),
  record(3, uint(0, 1), struct()),
  record(4, uint(5, 8)),
  record(5, uint(1234, 4)),
  record(6, filled(32, 2)),
  record(7, uint(99, 16)),
  record(9, filled(32, 3)),
  record(11, key(4)),
  record(13, filled(32, 5)),
  record(15, uint(50_000, 8)),
);

const hop = struct(
  record(0, key(1)),
  record(1, uint(1, 1)),
  record(2, uint(1, 2), uint(0x20, 1)),
  record(4, uint(9, 8)),
  record(6, uint(0, 2)),
  record(8, uint(1000, 8)),
  record(10, uint(40, 4)),
);

const blindedTail = struct(
  record(0, key(6), uint(2, 2), filled(2, 7)),
  record(2, key(8)),
  record(4, uint(18, 4)),
  record(6, uint(1000, 8)),
  record(
    8,
    struct(record(0, key(1)), record(2, uint(0, 2)), record(4, uint(1, 8)), record(6, uint(2, 4))),
  ),
);

const outboundRoute = struct(
  record(0, filled(32, 0x11)),
  record(1, filled(32, 0x12)),
  record(2, uint(60_000, 8)),
  record(4, hop, hop),
  record(6, blindedTail),
  record(7, uint(0, 1), bigSize(3), filled(3, 1)),
);

const htlc = (offered: 0 | 1, index?: number): Uint8Array =>
  struct(
    record(0, uint(offered, 1)),
    record(2, uint(60_000_000, 8)),
    record(4, uint(700, 4)),
    record(6, filled(32, 0x33)),
    ...(index === undefined ? [] : [record(8, uint(index, 4))]),
  );

const unsignedTx = concatBytes(
  uint(0x02000000, 4),
  uint(1, 1),
  filled(36, 0xaa),
  uint(0, 1),
  filled(4, 0xff),
  uint(1, 1),
  Uint8Array.of(0x10, 0x27, 0, 0, 0, 0, 0, 0),
  uint(1, 1),
  uint(0x51, 1),
  uint(0, 4),
);

const keys = struct(...[0, 2, 4, 6, 8].map((type) => record(type, key(type + 1))));

const commitment = struct(
  record(0, uint(2n ** 48n - 3n, 8)),
  record(1, uint(144, 2)),
  record(2, uint(10_000, 8)),
  record(4, uint(20_000, 8)),
  record(6, uint(253, 4)),
  record(8, keys),
  record(10, struct(record(0, unsignedTx), record(2, filled(32, 0x44)))),
  record(12, htlc(1, 0)),
  record(14),
  record(15, uint(0x401000, 3)),
);

const holderCommitment = struct(
  record(0, commitment),
  record(2, filled(64, 0x55)),
  record(4, uint(0, 1)),
  record(6, filled(64, 0x66)),
);

const pubkeys = struct(...[0, 2, 4, 6, 8].map((type) => record(type, key(type + 10))));

const parameters = struct(
  record(0, pubkeys),
  record(2, uint(144, 2)),
  record(4, uint(1, 1)),
  record(6, struct(record(0, pubkeys), record(2, uint(200, 2)))),
  record(8, filled(32, 0x77), uint(1, 2)),
  record(11, uint(0x1000, 2)),
  record(12, filled(32, 0x78)),
  record(13, uint(1_000_000, 8)),
);

const htlcData = struct(
  record(1, uint(0, 1), outboundRoute),
  record(3, htlc(0), uint(0, 1), htlc(1), bigSize(previousHop.length + 2), uint(1, 1), previousHop),
);

function steps(...encoded: readonly Uint8Array[]): readonly LdkUpdateStep[] {
  const result = decodeMonitorUpdate(update(41, ...encoded));
  if (!result.ok) assert.fail(JSON.stringify(result.error, (_, v: unknown) => String(v)));
  assert.equal(result.value.updateId, 41n);
  assert.equal(result.value.counterpartyNodeId, undefined);
  return result.value.steps.map(({ value }) => value);
}

describe("LDK formats beyond 0.1.0", () => {
  it("reads ShutdownScript and ReleasePaymentComplete", () => {
    const [shutdown, release] = steps(
      concatBytes(uint(5, 1), struct(record(0, uint(2, 2), uint(0x0014, 2)))),
      concatBytes(uint(7, 1), struct(record(1, sentForward))),
    );
    assert.deepEqual(shutdown, {
      kind: "shutdownScript",
      scriptPubkey: Uint8Array.of(0x00, 0x14),
    });
    assert.deepEqual(release, {
      kind: "releasePaymentComplete",
      htlc: { kind: "previousHop", shortChannelId: 77n, htlcId: 5n },
    });
  });

  it("reads the steps of a splice", () => {
    const [counterparty, holder, funding, locked] = steps(
      concatBytes(uint(6, 1), struct(record(1, commitment, commitment), record(3, htlcData))),
      concatBytes(
        uint(8, 1),
        struct(
          record(1, holderCommitment),
          record(3, htlcData),
          record(5, sentForward, filled(32, 0x99)),
        ),
      ),
      concatBytes(
        uint(10, 1),
        struct(record(1, parameters), record(3, holderCommitment), record(5, commitment)),
      ),
      concatBytes(uint(12, 1), struct(record(1, filled(32, 0xab)))),
    );
    assert.ok(counterparty?.kind === "latestCounterpartyCommitment");
    assert.equal(counterparty.commitments.length, 2);
    const [, dust] = counterparty.htlcData.dustHtlcs;
    assert.equal(dust?.source?.value.kind, "previousHop");
    assert.ok(holder?.kind === "latestHolderCommitment");
    assert.equal(holder.claimed?.[0]?.id.kind, "previousHop");
    assert.equal(holder.commitments[0]?.counterpartyHtlcSignatures.length, 1);
    assert.ok(funding?.kind === "renegotiatedFunding");
    assert.equal(funding.parameters.channelValueSat, 1_000_000n);
    assert.equal(funding.parameters.counterparty?.selectedContestDelay, 200);
    assert.deepEqual(locked, { kind: "renegotiatedFundingLocked", fundingTxid: "ab".repeat(32) });
  });

  it("reads a holder commitment whose sources stand apart (0.2)", () => {
    const [holder] = steps(
      concatBytes(
        uint(0, 1),
        struct(
          record(0, holderCommitment),
          record(2, htlc(0), uint(0, 1), uint(0, 1)),
          record(4, uint(0, 1), outboundRoute),
        ),
      ),
    );
    assert.ok(holder?.kind === "latestHolderCommitmentInfo");
    assert.equal(holder.nonDustSources?.[0]?.value.kind, "outboundRoute");
    assert.equal(holder.htlcs[0]?.signature, undefined);
  });

  it("reads sources of forwards, routes and trampolines, keeping their bytes", () => {
    const forward = concatBytes(uint(1, 1), previousHop);
    const read = decodeAll(htlcSource, forward);
    assert.deepEqual(read.raw, forward);
    assert.ok(read.value.kind === "previousHop");
    assert.equal(read.value.cltvExpiry, 1234);
    assert.equal(read.value.amountMsat, 50_000n);
    assert.deepEqual(sentIdOf(read), { kind: "previousHop", shortChannelId: 77n, htlcId: 5n });
    const own = decodeAll(htlcSource, concatBytes(uint(0, 1), outboundRoute));
    assert.deepEqual(sentIdOf(own), { kind: "outboundRoute", sessionKey: filled(32, 0x11) });
    const path = struct(record(1, hop), record(3, blindedTail));
    const dispatch = struct(record(1, filled(32, 1)), record(3, path), record(5, filled(32, 2)));
    const trampoline = struct(
      record(1, previousHop),
      record(3, filled(32, 9)),
      record(5, dispatch),
    );
    const relayed = decodeAll(htlcSource, concatBytes(uint(2, 1), trampoline));
    assert.deepEqual(sentIdOf(relayed), {
      kind: "trampolineForward",
      sessionKey: filled(32, 2),
    });
  });

  it("reads contexts of claims with their channel parameters (0.2)", () => {
    const solving = struct(
      record(0, key(1)),
      record(1, uint(500, 4)),
      record(2, key(2)),
      record(4, key(3)),
      record(6, filled(32, 4)),
      record(8, uint(600, 8)),
      record(10, uint(10_000, 8)),
      record(12, htlc(1, 0)),
      record(13, parameters),
    );
    const claim = concatBytes(
      uint(1, 8),
      filled(32, 0xcd),
      uint(2, 4),
      uint(1, 1),
      solving,
      struct(record(0, uint(700, 4)), record(2, uint(253, 8)), record(4, uint(0, 4))),
    );
    const [input] = decodeAll(packageTemplate, claim).inputs;
    assert.equal(input?.outpoint.vout, 2);
    assert.ok(input?.solving.kind === "revokedHtlcOutput");
    assert.equal(input.solving.outpointHeight, 500);
  });

  it("reads monitor events of 0.2", () => {
    const confirmed = decodeMonitorEvent(uint(1, 1));
    assert.ok(confirmed.ok && confirmed.value.kind === "commitmentTxConfirmed");
    const reason = concatBytes(uint(21, 1), struct(record(1, filled(32, 7))));
    const closed = struct(
      record(0, reason),
      record(2, filled(32, 1), uint(0, 2)),
      record(4, filled(32, 2)),
    );
    const event = decodeMonitorEvent(concatBytes(uint(5, 1), closed));
    assert.ok(event.ok && event.value.kind === "holderForceClosedWithInfo");
    assert.deepEqual(event.value.reason, {
      kind: "htlcsTimedOut",
      paymentHash: "07".repeat(32),
    });
  });

  it("tells the line of LDK by the records behind a monitor", () => {
    const recorded = vectorRows().find(({ label, node }) => label === "u8" && node === "b")?.bytes;
    assert.ok(recorded !== undefined);
    const later = (...records: readonly Uint8Array[]): string => {
      const result = decodeChannelMonitor(withRecords(recorded, concatBytes(...records)));
      return result.ok ? writtenBy(result.value.trailer) : JSON.stringify(result.error.place);
    };
    const resolved = record(33, uint(1, 2), sentForward);
    const first = record(27, filled(32, 1), uint(0, 2));
    const ancestors = record(39, filled(32 * 12, 0));
    assert.equal(later(), "0.1");
    assert.equal(later(resolved), "0.1.6");
    const scope = struct(
      record(1, parameters),
      record(3, filled(32, 1)),
      record(7, holderCommitment),
      record(11, uint(1, 2), filled(32, 1), uint(1, 2), htlc(0), uint(0, 1)),
    );
    const pending = [record(29, commitment), record(31, parameters), record(32, scope)];
    assert.equal(later(first, ...pending, resolved), "0.2");
    assert.equal(later(first, resolved, record(35, uint(1, 1)), ancestors), "0.3");
  });

  it("names channel types", () => {
    assert.deepEqual(featureBits(Uint8Array.of(0x40, 0x10, 0x00)), [12, 22]);
    assert.equal(channelTypeOf(Uint8Array.of(0x10, 0x00)), "static_remote_key");
    assert.equal(channelTypeOf(Uint8Array.of(0x40, 0x10, 0x00)), "anchors_zero_fee_htlc");
    assert.equal(channelTypeOf(uint((1n << 46n) | (1n << 12n), 6)), "static_remote_key");
    assert.equal(
      channelTypeOf(uint((1n << 50n) | (1n << 22n) | 4096n, 7)),
      "anchors_zero_fee_htlc",
    );
    assert.equal(channelTypeOf(uint((1n << 40n) | 4096n, 6)), "zero_fee_commitments");
    assert.equal(channelTypeOf(uint((1n << 140n) | 4096n, 18)), "zero_fee_commitments");
    assert.equal(channelTypeOf(uint((1n << 20n) | 4096n, 3)), undefined);
    assert.equal(channelTypeOf(new Uint8Array()), undefined);
    const both = uint((1n << 50n) | (1n << 46n) | 4096n, 7);
    assert.deepEqual(modifiersOf(both), ["scid_privacy", "zero_conf"]);
    assert.deepEqual(modifiersOf(Uint8Array.of(0x10, 0x00)), []);
  });

  it("takes a commitment without a channel type for static_remote_key", () => {
    const plain = struct(
      record(0, uint(1, 8)),
      record(2, uint(0, 8)),
      record(4, uint(0, 8)),
      record(6, uint(253, 4)),
      record(8, keys),
      record(10, struct(record(0, unsignedTx), record(2, filled(32, 0x44)))),
      record(12),
    );
    const { channelType } = decodeAll(commitmentTransaction, plain);
    assert.equal(channelType, undefined);
    assert.equal(channelTypeOf(channelType), "static_remote_key");
  });
});

/** The monitor with more records in its trailer, which ends it. */
function withRecords(monitor: Uint8Array, records: Uint8Array): Uint8Array {
  const { start, bytes } = trailerOf(monitor);
  const longer = concatBytes(bytes, records);
  return concatBytes(monitor.subarray(0, start), bigSize(longer.length), longer);
}

/** The trailer is the last struct: its length, in three bytes, reaches to the end. */
function trailerOf(monitor: Uint8Array): { start: number; bytes: Uint8Array } {
  for (let start = 0; start < monitor.length - 3; start++) {
    const length = ((monitor[start + 1] ?? 0) << 8) | (monitor[start + 2] ?? 0);
    const reachesEnd = monitor[start] === 0xfd && length === monitor.length - start - 3;
    if (reachesEnd) return { start, bytes: monitor.subarray(start + 3) };
  }
  return assert.fail("no trailer");
}
