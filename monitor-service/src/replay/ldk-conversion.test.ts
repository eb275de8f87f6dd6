/**
 * From LDK's words to ours, where no recording goes: commitments whose sources stand apart (LDK 0.2 and
 * later), splices, forwards, HTLCs that look the same, and what cannot be the start of a replay.
 */
import assert from "node:assert/strict";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import type { HtlcSource } from "@farwatch/protocol/channel";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { readWith } from "@farwatch/protocol/convert/reader";
import { channelId, paymentHash, preimage as toPreimage, txid } from "@farwatch/protocol/ids";
import type { LdkHtlc, SourcedHtlc } from "@farwatch/protocol/ldk/commitment";
import type { PreviousHop, RawHtlcSource } from "@farwatch/protocol/ldk/htlc-source";
import { decodeChannelMonitor, type LdkChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { vectorRows, type VectorRow } from "@farwatch/protocol/ldk/load-vectors.test";
import { decodeMonitorUpdate, type LdkUpdateStep } from "@farwatch/protocol/ldk/update";
import type { Reason } from "@farwatch/protocol/reasons";
import {
  onNewFunding,
  toCommitmentNumber,
  toHtlcs,
  withSources,
} from "@farwatch/protocol/ldk/convert/commitment";
import { toInitialState } from "@farwatch/protocol/ldk/convert/initial-state";
import { firstChannelId, sourceKeyOf, toSource } from "@farwatch/protocol/ldk/convert/source";
import { toUpdateSteps, type CurrentChannel } from "@farwatch/protocol/ldk/convert/update-steps";

const REGTEST = "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f";
const FUNDING = { txid: txid("ab".repeat(32)), vout: 258 };

const htlc = (offered: boolean, outputIndex?: number): LdkHtlc => ({
  offered,
  amountMsat: 5_000_500n,
  cltvExpiry: 700,
  paymentHash: paymentHash("33".repeat(32)),
  outputIndex,
});

const forward = (change: Partial<PreviousHop> = {}): RawHtlcSource => ({
  raw: Uint8Array.of(1, 2, 3),
  value: {
    kind: "previousHop",
    shortChannelId: 77n,
    phantomSharedSecret: undefined,
    funding: FUNDING,
    blindedFailure: undefined,
    htlcId: 5n,
    cltvExpiry: 820,
    incomingPacketSharedSecret: new Uint8Array(32),
    userChannelId: (1n << 64n) + 2n,
    channelId: channelId("cc".repeat(32)),
    counterpartyNodeId: undefined,
    trampolineSharedSecret: undefined,
    amountMsat: 5_010_000n,
    ...change,
  },
});

const sent = (offered: boolean, source: RawHtlcSource, outputIndex?: number): SourcedHtlc => ({
  htlc: htlc(offered, outputIndex),
  source,
});

const reasonOf = (read: () => unknown): Reason | undefined => {
  const result = readWith(read);
  return result.ok ? undefined : result.error.reason;
};

describe("LDK's sources in our words", () => {
  const inboundOf = ({ origin }: HtlcSource) =>
    origin.kind === "forward" ? origin.inbound : assert.fail(origin.kind);

  it("a forward is named by its inbound edge and keeps LDK's bytes", () => {
    const source = toSource(forward());
    const name = fromHex("000000000000004d" + "0000000000000005");
    assert.equal(source.sourceKey, toHex(sha256(name)));
    assert.deepEqual(source.opaque, Uint8Array.of(1, 2, 3));
    const inbound = inboundOf(source);
    assert.equal(inbound.channelId, "cc".repeat(32));
    assert.equal(inbound.cltvExpiry, 820);
    assert.equal(inbound.amountMsat, 5_010_000n);
    assert.equal(
      toHex(inbound.userChannelId ?? assert.fail()),
      `${"0".repeat(15)}1${"0".repeat(15)}2`,
    );
    assert.equal(
      source.sourceKey,
      sourceKeyOf({ kind: "previousHop", shortChannelId: 77n, htlcId: 5n }),
    );
  });

  it("without an inbound expiry nothing is ever failed back early", () => {
    const inbound = inboundOf(toSource(forward({ cltvExpiry: undefined, amountMsat: undefined })));
    assert.equal(inbound.cltvExpiry, 499_999_999);
    assert.equal(inbound.amountMsat, 0n);
  });

  it("without a channel id the funding outpoint stands for it", () => {
    const expected = "ab".repeat(30) + "aaa9"; // 0xabab ^ 258
    assert.equal(firstChannelId(FUNDING), expected);
    assert.equal(inboundOf(toSource(forward({ channelId: undefined }))).channelId, expected);
  });

  it("trampolines are named by the key of their onward payment, or by their bytes", () => {
    const { value } = forward();
    const previousHops = value.kind === "previousHop" ? [value] : [];
    const unsent = {
      kind: "trampolineForward",
      previousHops,
      secretOrOutbound: new Uint8Array(32),
      outbound: undefined,
    } as const;
    const raw = Uint8Array.of(2, 9);
    assert.equal(toSource({ value: unsent, raw }).sourceKey, toHex(sha256(raw)));
    const sessionKey = new Uint8Array(32).fill(8);
    const paymentId = new Uint8Array(32);
    const outbound = { paymentId, path: { hops: [], blindedTail: undefined }, sessionKey };
    for (const sent of [{ outbound }, { secretOrOutbound: outbound }]) {
      const source = toSource({ value: { ...unsent, ...sent }, raw });
      assert.equal(source.sourceKey, toHex(sha256(sessionKey)));
      assert.equal(source.origin.kind === "trampoline" && source.origin.inbound.length, 1);
    }
  });
});

describe("LDK's HTLCs in our words", () => {
  it("have an id that stays with them and differs from their twin's", () => {
    const twins = [
      { htlc: htlc(false, 0), source: undefined },
      { htlc: htlc(false, 1), source: undefined },
    ];
    const [first, second] = toHtlcs(twins, "holder");
    assert.notEqual(first?.htlcId, second?.htlcId);
    // The same inbound HTLC in the counterparty's commitment, where it is offered and stands elsewhere.
    const [again] = toHtlcs([{ htlc: htlc(true, 7), source: undefined }], "counterparty");
    assert.equal(again?.htlcId, first?.htlcId);
    assert.equal(again?.outputIndex, 7);
    const [outbound] = toHtlcs([sent(true, forward())], "holder");
    const [mirrored] = toHtlcs([sent(false, forward(), 2)], "counterparty");
    assert.equal(outbound?.htlcId, mirrored?.htlcId);
    assert.notEqual(outbound?.htlcId, first?.htlcId);
    assert.equal(outbound?.outputIndex, undefined);
  });

  it("that we sent must have a source, others have none", () => {
    const missing = () => toHtlcs([{ htlc: htlc(true), source: undefined }], "holder");
    assert.equal(reasonOf(missing), "malformed");
    const [inbound] = toHtlcs([sent(false, forward())], "holder");
    assert.equal(inbound?.source, undefined);
  });

  it("get sources that stand apart in the order of their outputs", () => {
    const other = forward({ htlcId: 6n });
    const list = { htlcs: [htlc(false, 0), htlc(true, 1), htlc(false, 2), htlc(true, 3)] };
    const ours = withSources(list, [forward(), other], "holder");
    assert.deepEqual(
      ours.map(({ source }) => source),
      [undefined, forward(), undefined, other],
    );
    const theirs = withSources(list, [forward(), other], "counterparty");
    assert.deepEqual(
      theirs.map(({ source }) => source),
      [forward(), undefined, other, undefined],
    );
    assert.equal(
      reasonOf(() => withSources(list, [forward(), other, other], "holder")),
      "malformed",
    );
    const tooFew = () => toHtlcs(withSources(list, [forward()], "holder"), "holder");
    assert.equal(reasonOf(tooFew), "malformed");
  });

  it("keep id and source on another funding, where they may be trimmed", () => {
    const current = toHtlcs(
      [sent(true, forward(), 1), { htlc: htlc(false, 2), source: undefined }],
      "holder",
    );
    const [kept, trimmed] = onNewFunding(current, { htlcs: [htlc(true, 4)] }, "holder");
    assert.deepEqual(kept, { ...current[0], outputIndex: 4 });
    assert.deepEqual(trimmed, { ...current[1], outputIndex: undefined });
    const unknown = () =>
      onNewFunding(current, { htlcs: [htlc(true, 4), htlc(true, 5)] }, "holder");
    assert.equal(reasonOf(unknown), "malformed");
  });

  it("counts commitments up where LDK counts down", () => {
    assert.equal(toCommitmentNumber(2n ** 48n - 1n), 0);
    assert.equal(toCommitmentNumber(0n), 2 ** 48 - 1);
    assert.equal(
      reasonOf(() => toCommitmentNumber(2n ** 48n)),
      "rangeExceeded",
    );
  });
});

describe("LDK's first monitor and updates in our words", () => {
  const rows = vectorRows().filter(({ run, node }) => run === "anchors" && node === "a");
  const monitors = rows.filter(({ kind }) => kind === "monitor");
  const monitorOf = (row: VectorRow | undefined): LdkChannelMonitor => {
    const decoded = decodeChannelMonitor(row?.bytes ?? assert.fail("a monitor"));
    return decoded.ok ? decoded.value : assert.fail(decoded.error.problem.kind);
  };
  const first = monitorOf(monitors[0]);
  const initial = toInitialState(first, REGTEST, nobleCurve);
  if (!initial.ok) assert.fail(initial.error.message);
  const { parameters, holderCommitment, counterpartyCommitment } = initial.value;
  const current: CurrentChannel = {
    parameters,
    holder: holderCommitment,
    counterparty: counterpartyCommitment,
  };

  it("a first monitor becomes a first state of LDK 0.1's constants", () => {
    assert.equal(parameters.channelType, "anchors_zero_fee_htlc");
    assert.deepEqual(parameters.channelTypeModifiers, []);
    assert.equal(parameters.constantsProfile, "ldk_0_1");
    assert.equal(parameters.holderIsOpener, true);
    assert.equal(parameters.channelId, firstChannelId(parameters.funding));
    assert.equal(holderCommitment.commitmentNumber, 0);
    const later = { ...first, trailer: { ...first.trailer, firstFunding: FUNDING } };
    const state = toInitialState(later, REGTEST, nobleCurve);
    assert.equal(state.ok && state.value.parameters.constantsProfile, "ldk_0_2");
  });

  it("a funding broadcast by hand holds our commitment back only until it was seen", () => {
    const held = (manualBroadcast: boolean, fundingSeenOnchain: boolean) => {
      const trailer = { ...first.trailer, manualBroadcast, fundingSeenOnchain };
      const state = toInitialState({ ...first, trailer }, REGTEST, nobleCurve);
      return state.ok && state.value.manualBroadcast;
    };
    assert.deepEqual(
      [held(false, false), held(true, true), held(true, false)],
      [false, false, true],
    );
  });

  it("a channel that is closing is left to the monitor it has", () => {
    const late = toInitialState(monitorOf(monitors.at(-1)), REGTEST, nobleCurve);
    assert.ok(!late.ok && late.error.reason === "notImportable");
    assert.equal(late.error.details["cause"], "closing");
    const signs: readonly Partial<LdkChannelMonitor>[] = [
      { lockdownFromOffchain: true },
      { holderTxSigned: true },
      { trailer: { ...first.trailer, fundingSpendSeen: true } },
      { trailer: { ...first.trailer, fundingSpendConfirmed: FUNDING.txid } },
      { counterpartyCommitmentsOnChain: [{ txid: FUNDING.txid, commitmentNumber: 1n }] },
    ];
    for (const sign of signs) {
      const state = toInitialState({ ...first, ...sign }, REGTEST, nobleCurve);
      assert.ok(!state.ok && state.error.details["cause"] === "closing", Object.keys(sign)[0]);
    }
  });

  it("a splice that has confirmed is imported once it is locked", () => {
    const trailer = {
      ...first.trailer,
      alternativeFundingConfirmed: { txid: FUNDING.txid, height: 7 },
    };
    const state = toInitialState({ ...first, trailer }, REGTEST, nobleCurve);
    assert.ok(!state.ok && state.error.details["cause"] === "spliceConfirmed");
  });

  it("a channel type that is not known is refused", () => {
    const { onchainTxHandler: handler } = first;
    const odd = { ...handler.parameters, channelType: Uint8Array.of(0x30, 0x10, 0x00) };
    const state = toInitialState(
      { ...first, onchainTxHandler: { ...handler, parameters: odd } },
      REGTEST,
      nobleCurve,
    );
    assert.ok(!state.ok && state.error.reason === "unsupportedChannelType");
  });

  const stepsOf = (...steps: readonly LdkUpdateStep[]) =>
    toUpdateSteps(
      {
        version: undefined,
        updateId: 1n,
        counterpartyNodeId: undefined,
        channelId: undefined,
        steps: steps.map((value) => ({ value, raw: new Uint8Array(0) })),
      },
      () => current,
    );

  it("a step of a newer LDK is refused, never left out", () => {
    const done = stepsOf({ kind: "unknown", variant: 13, bytes: new Uint8Array(0) });
    assert.ok(!done.ok && done.error.reason === "unknownStep");
  });

  it("claims and failures of persistent events come with what they carry", () => {
    const id = { kind: "previousHop", shortChannelId: 7n, htlcId: 5n } as const;
    const preimage = toPreimage(new Uint8Array(32).fill(9));
    const data = Uint8Array.of(1, 2);
    const { holderCommitment: commitment } = first.onchainTxHandler;
    const done = stepsOf({
      kind: "latestHolderCommitmentInfo",
      commitment,
      htlcs: [],
      legacyClaimed: [{ id, preimage }],
      claims: [{ id, preimage, skimmedFeeMsat: 3n }],
      failures: [{ id, reason: { kind: "local", failureCode: 0x1007, data } }],
    });
    assert.ok(done.ok, done.ok ? "" : done.error.message);
    const [update] = done.value;
    assert.ok(update?.kind === "latestHolderCommitment");
    const sourceKey = sourceKeyOf(id);
    assert.deepEqual(update.claimed, [
      { sourceKey, preimage, skimmedFeeMsat: 3n, attributionData: undefined },
    ]);
    const cause = { kind: "local", failureCode: 0x1007, data };
    assert.deepEqual(update.failed, [
      { sourceKey, reason: { cause, holdTime: undefined, attributionData: undefined } },
    ]);
  });

  it("the steps of a splice name every funding", () => {
    const { holderCommitment: holder } = first.onchainTxHandler;
    const { commitment } = holder;
    const htlcData = { nonDustSources: [], dustHtlcs: [sent(true, forward())] };
    const done = stepsOf(
      {
        kind: "renegotiatedFunding",
        parameters: { ...first.onchainTxHandler.parameters, funding: FUNDING },
        holderCommitment: holder,
        counterpartyCommitment: commitment,
        contribution: undefined,
      },
      { kind: "latestHolderCommitment", commitments: [holder, holder], htlcData, claimed: [] },
      { kind: "renegotiatedFundingLocked", fundingTxid: FUNDING.txid },
    );
    assert.ok(done.ok, done.ok ? "" : done.error.message);
    const [funding, update, locked] = done.value;
    assert.ok(funding?.kind === "renegotiatedFunding");
    assert.deepEqual(funding.parameters, { ...parameters, funding: FUNDING });
    assert.ok(update?.kind === "latestHolderCommitment");
    assert.deepEqual(update.pending[0]?.funding, parameters.funding);
    assert.equal(update.commitment.htlcs[0]?.source?.sourceKey, toSource(forward()).sourceKey);
    assert.deepEqual(locked, { kind: "renegotiatedFundingLocked", fundingTxid: FUNDING.txid });
  });

  it("a holder commitment of LDK 0.2 is the same as that of 0.1", () => {
    const withHtlcs = rows
      .filter(({ kind }) => kind === "update")
      .flatMap(({ bytes }) => {
        const update = decodeMonitorUpdate(bytes);
        return update.ok ? update.value.steps.map(({ value }) => value) : [];
      });
    const isFull = (step: LdkUpdateStep) =>
      step.kind === "latestHolderCommitmentInfo" &&
      step.htlcs.some(({ source, signature }) => source !== undefined && signature !== undefined);
    const old = withHtlcs.find(isFull);
    assert.ok(old?.kind === "latestHolderCommitmentInfo");
    const dust = old.htlcs.filter(({ signature }) => signature === undefined);
    const nonDustSources = old.htlcs.flatMap(({ signature, source }) =>
      signature === undefined || source === undefined ? [] : [source],
    );
    assert.deepEqual(stepsOf({ ...old, htlcs: dust, nonDustSources }), stepsOf(old));
    assert.ok(concatBytes(...nonDustSources.map(({ raw }) => raw)).length > 0);
  });
});
