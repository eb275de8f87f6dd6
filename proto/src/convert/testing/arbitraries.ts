/**
 * Random domain values for the conversion tests: every variant, every optional field present and absent,
 * integers up to the edge of their range.
 */
import fc, { type Arbitrary } from "fast-check";
import { feeratePerKw, MAX_SAT, msat, sat } from "../../amount.js";
import {
  blockDelta,
  blockHash,
  blockHeight,
  LOCKTIME_THRESHOLD,
  type BlockPoint,
} from "../../block.js";
import { toHex } from "../../bytes.js";
import {
  CHANNEL_TYPES,
  type ChannelParameters,
  type ChannelPubkeys,
  type CommitmentHtlc,
  type CommitmentOnFundings,
  type CounterpartyCommitment,
  type HolderCommitment,
  type HtlcSource,
  type InboundHtlc,
  type InitialState,
} from "../../channel.js";
import {
  channelId,
  commitmentNumber,
  htlcId,
  paymentHash,
  paymentId,
  perCommitmentSecret,
  preimage,
  sourceKey,
  txid,
  type Outpoint,
} from "../../ids.js";
import type { HtlcFailReason, UpdateStep } from "../../update.js";

export const bytes = (length: number): Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
export const upTo = (length: number): Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: length });
export const hex = (length: number): Arbitrary<string> => bytes(length).map(toHex);
export const maybe = <T>(value: Arbitrary<T>): Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });
export const u32 = fc.nat(0xffffffff);
export const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
export const sats = fc.bigInt({ min: 0n, max: MAX_SAT }).map(sat);
export const msats = fc.bigInt({ min: 1n, max: MAX_SAT * 1000n }).map(msat);
export const heights = fc.nat(LOCKTIME_THRESHOLD - 1).map(blockHeight);
export const deltas = fc.nat(0xffff).map(blockDelta);
export const txids = hex(32).map(txid);
export const channelIds = hex(32).map(channelId);
export const htlcIds = u64.map(htlcId);
export const hashes = hex(32).map(paymentHash);
export const preimages = bytes(32).map(preimage);
export const sourceKeys = hex(32).map(sourceKey);
export const numbers = fc.nat(2 ** 48 - 1).map(commitmentNumber);
export const points: Arbitrary<BlockPoint> = fc.record({
  height: heights,
  hash: hex(32).map(blockHash),
});
/** Text without lone surrogates, which have no UTF-8 form. */
export const texts = fc.string({ unit: "grapheme", maxLength: 40 });
export const outpoints: Arbitrary<Outpoint> = fc.record({ txid: txids, vout: fc.nat(0xffff) });

const inbound: Arbitrary<InboundHtlc> = fc.record({
  channelId: channelIds,
  htlcId: htlcIds,
  amountMsat: msats,
  cltvExpiry: heights,
  userChannelId: maybe(bytes(16)),
});
const part = fc.record({
  paymentId: hex(32).map(paymentId),
  partKey: upTo(40),
  pathSummary: upTo(40),
  firstHopMsat: msats,
});
export const sources: Arbitrary<HtlcSource> = fc.record({
  sourceKey: sourceKeys,
  origin: fc.oneof(
    fc.record({ kind: fc.constant("own" as const), part }),
    fc.record({ kind: fc.constant("probe" as const), part }),
    fc.record({ kind: fc.constant("forward" as const), inbound, intercepted: fc.boolean() }),
    fc.record({
      kind: fc.constant("trampoline" as const),
      inbound: fc.array(inbound, { maxLength: 3 }),
    }),
  ),
  opaque: upTo(60),
});

/** HTLCs of one commitment: ids, output indices and source keys are unique as the rules want. */
const htlcs = (outboundIsOffered: boolean): Arbitrary<readonly CommitmentHtlc[]> =>
  fc
    .array(
      fc.record({
        htlcId: htlcIds,
        offered: fc.boolean(),
        amountMsat: msats,
        cltvExpiry: heights,
        paymentHash: hashes,
        outputIndex: maybe(u32),
        source: sources,
      }),
      { maxLength: 5 },
    )
    .map((list) =>
      list.map((htlc, index) => ({
        ...htlc,
        htlcId: htlcId(index === 0 ? htlc.htlcId : BigInt(index)),
        outputIndex: htlc.outputIndex === undefined ? undefined : index,
        source: htlc.offered === outboundIsOffered ? htlc.source : undefined,
      })),
    )
    .filter((list) => new Set(list.map((htlc) => htlc.htlcId)).size === list.length);

export const holderCommitments: Arbitrary<HolderCommitment> = fc.record({
  commitmentNumber: numbers,
  perCommitmentPoint: bytes(33),
  feeratePerKw: u32.map(feeratePerKw),
  toLocalSat: sats,
  toRemoteSat: sats,
  htlcs: htlcs(true),
  counterpartySignature: bytes(64),
  counterpartyHtlcSignatures: fc.array(bytes(64), { maxLength: 3 }),
  txid: txids,
});
export const counterpartyCommitments: Arbitrary<CounterpartyCommitment> = fc.record({
  commitmentNumber: numbers,
  perCommitmentPoint: bytes(33),
  feeratePerKw: u32.map(feeratePerKw),
  toBroadcasterSat: sats,
  toCountersignatorySat: sats,
  htlcs: htlcs(false),
  txid: txids,
});

const pubkeys: Arbitrary<ChannelPubkeys> = fc.record({
  fundingPubkey: bytes(33),
  revocationBasepoint: bytes(33),
  paymentPoint: bytes(33),
  delayedPaymentBasepoint: bytes(33),
  htlcBasepoint: bytes(33),
});
const parameters: Arbitrary<ChannelParameters> = fc.record({
  channelId: channelIds,
  chainHash: hex(32),
  channelType: fc.constantFrom(...CHANNEL_TYPES),
  channelTypeModifiers: fc.subarray(["scid_privacy" as const, "zero_conf" as const]),
  funding: outpoints,
  channelValueSat: sats,
  holderIsOpener: fc.boolean(),
  holderPubkeys: pubkeys,
  counterpartyPubkeys: pubkeys,
  holderSelectedContestDelay: deltas,
  counterpartySelectedContestDelay: deltas,
  channelKeysId: bytes(32),
  destinationScript: fc.uint8Array({ minLength: 1, maxLength: 42 }),
  counterpartyNodeId: maybe(bytes(33)),
  userChannelId: maybe(bytes(16)),
  constantsProfile: fc.constantFrom("ldk_0_1" as const, "ldk_0_2" as const),
  shutdownScript: maybe(upTo(42)),
  spliceParentFundingTxid: maybe(txids),
});
export const failReasons: Arbitrary<HtlcFailReason> = fc.record({
  cause: fc.oneof(
    fc.record({ kind: fc.constant("onionError" as const), packet: upTo(80) }),
    fc.record({ kind: fc.constant("local" as const), failureCode: u32, data: upTo(20) }),
    fc.constant({ kind: "onChainTimeout" as const }),
  ),
  holdTime: maybe(u32),
  attributionData: maybe(upTo(20)),
});
const failed = fc.record({ sourceKey: sourceKeys, reason: failReasons });

const onPending = <C extends HolderCommitment | CounterpartyCommitment>(commitment: Arbitrary<C>) =>
  fc.array(fc.record({ funding: outpoints, commitment }), { maxLength: 2 });
const onFundings = <C extends HolderCommitment | CounterpartyCommitment>(
  commitment: Arbitrary<C>,
): Arbitrary<CommitmentOnFundings<C>> => fc.record({ commitment, pending: onPending(commitment) });
export const initialStates: Arbitrary<InitialState> = fc.record({
  parameters,
  holderCommitment: holderCommitments,
  counterpartyCommitment: counterpartyCommitments,
  pendingFundings: fc.array(
    fc.record({
      parameters,
      holderCommitment: holderCommitments,
      counterpartyCommitment: counterpartyCommitments,
    }),
    { maxLength: 2 },
  ),
  manualBroadcast: fc.boolean(),
  revokedSecrets: fc.array(
    fc.record({ commitmentNumber: numbers, secret: bytes(32).map(perCommitmentSecret) }),
    { maxLength: 3 },
  ),
  bestBlock: maybe(points),
  ldkMonitor: maybe(bytes(40)),
  earlier: maybe(
    fc.record({
      previousHolder: maybe(onFundings(holderCommitments)),
      previousCounterparty: maybe(onFundings(counterpartyCommitments)),
      preimages: fc.array(preimages, { maxLength: 3 }),
      fulfilled: fc.array(fc.record({ sourceKey: sourceKeys, preimage: preimages }), {
        maxLength: 2,
      }),
      failed: fc.array(failed, { maxLength: 2 }),
    }),
  ),
});

const claimed = fc.record({
  sourceKey: sourceKeys,
  preimage: preimages,
  skimmedFeeMsat: maybe(msats),
  attributionData: maybe(upTo(20)),
});

export const steps: Arbitrary<UpdateStep> = fc.oneof(
  fc.record({
    kind: fc.constant("latestHolderCommitment" as const),
    commitment: holderCommitments,
    pending: onPending(holderCommitments),
    claimed: fc.array(claimed, { maxLength: 2 }),
    failed: fc.array(failed, { maxLength: 2 }),
  }),
  fc.record({
    kind: fc.constant("latestCounterpartyCommitment" as const),
    commitment: counterpartyCommitments,
    pending: onPending(counterpartyCommitments),
  }),
  fc.record({
    kind: fc.constant("paymentPreimage" as const),
    preimage: preimages,
    paymentInfo: maybe(upTo(30)),
  }),
  fc.record({
    kind: fc.constant("commitmentSecret" as const),
    commitmentNumber: numbers,
    secret: bytes(32).map(perCommitmentSecret),
  }),
  fc.record({
    kind: fc.constant("channelForceClosed" as const),
    shouldBroadcast: fc.boolean(),
    reason: texts,
  }),
  fc.record({ kind: fc.constant("shutdownScript" as const), scriptPubkey: upTo(42) }),
  fc.record({
    kind: fc.constant("renegotiatedFunding" as const),
    parameters,
    holderCommitment: holderCommitments,
    counterpartyCommitment: counterpartyCommitments,
  }),
  fc.record({
    kind: fc.constant("renegotiatedFundingLocked" as const),
    fundingTxid: txids,
  }),
  fc.record({
    kind: fc.constant("ldkReleasePaymentComplete" as const),
    sourceKey: sourceKeys,
  }),
  fc.record({
    kind: fc.constant("penaltyTransaction" as const),
    commitmentTxid: txids,
    commitmentNumber: numbers,
    transaction: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  }),
);
export const stepLists = fc.array(steps, { minLength: 1, maxLength: 4 });
