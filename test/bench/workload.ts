/**
 * The updates of real channels, made ahead of time. In a round a channel offers HTLCs, both sides commit
 * to them, the counterparty claims them, and both sides commit again: six updates (two commitments of
 * either side and two revocations), and one event of the monitor for every claim.
 */
import { createHash } from "node:crypto";
import { msat, sat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import type { InitialState } from "@farwatch/protocol/channel";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { PayloadType } from "@farwatch/protocol/envelope/update";
import { txid, type ChannelId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { createChannel, type Channel } from "../harness/channel/channel.js";
import { secretNamed } from "../harness/channel/test-channel.js";

const CAPACITY = sat(10_000_000);
const PAYMENT = msat(5_000_000);
/** Far above the height of a new regtest chain. */
const EXPIRY = blockHeight(600);

/** One update of one channel, not yet signed. */
export interface PlannedUpdate {
  readonly channelId: ChannelId;
  readonly payload: Uint8Array;
  /** Default: typedSteps. */
  readonly payloadType?: PayloadType;
  readonly curve: CurveFacts;
}

/** What in an update costs curve arithmetic. */
export interface CurveFacts {
  /** Funding and HTLC signatures of a holder commitment. */
  readonly ecdsaSignatures: number;
  /** New commitments, of either side. */
  readonly commitments: number;
  /** Revealed per-commitment secrets. */
  readonly secrets: number;
  /** Events it makes, each signed by the monitor. */
  readonly events: number;
}

export interface PlannedChannel {
  readonly initial: InitialState;
  readonly updates: readonly PlannedUpdate[];
}

export interface WorkloadOptions {
  readonly curve: Curve;
  /** The holder's seed: the monitor derives the same keys from it. */
  readonly seed: Uint8Array;
  readonly name: string;
  readonly rounds: number;
  /** Offered, and then claimed, together. */
  readonly htlcsPerRound: number;
}

export async function planChannel(options: WorkloadOptions): Promise<PlannedChannel> {
  const { curve, seed, name, rounds, htlcsPerRound } = options;
  const payloads: (readonly UpdateStep[])[] = [];
  const plan = createChannel({
    channelType: "anchors_zero_fee_htlc",
    capacitySat: CAPACITY,
    curve,
    holder: { seed },
    onUpdate: (steps) => void payloads.push(steps),
  });
  const funding = createHash("sha256").update(`funding of ${name}`).digest("hex");
  const channel = plan.open({ txid: txid(funding), vout: 0 });
  for (let round = 0; round < rounds; round++) {
    await pay(channel, htlcsPerRound, `${name}/${round}`);
  }
  return {
    initial: channel.initialState(),
    updates: payloads.map((steps) => ({
      channelId: channel.channelId,
      payload: encodeUpdatePayload(steps),
      curve: curveFacts(steps),
    })),
  };
}

async function pay(channel: Channel, count: number, name: string): Promise<void> {
  const offered = Array.from({ length: count }, (_, index) => {
    const { preimage, paymentHash } = secretNamed(`${name}/${index}`);
    const add = { amountMsat: PAYMENT, paymentHash, cltvExpiry: EXPIRY };
    return { preimage, htlc: channel.addHtlc("holder", add) };
  });
  await channel.settle();
  for (const { htlc, preimage } of offered) await channel.fulfillHtlc(htlc, preimage);
  await channel.settle();
}

export function curveFacts(steps: readonly UpdateStep[]): CurveFacts {
  const count = (kind: UpdateStep["kind"]): number =>
    steps.filter((step) => step.kind === kind).length;
  const holder = steps.flatMap((step) => (step.kind === "latestHolderCommitment" ? [step] : []));
  return {
    ecdsaSignatures: holder.reduce(
      (sum, { commitment }) => sum + 1 + commitment.counterpartyHtlcSignatures.length,
      0,
    ),
    commitments: holder.length + count("latestCounterpartyCommitment"),
    secrets: count("commitmentSecret"),
    events: holder.reduce((sum, { claimed }) => sum + claimed.length, 0),
  };
}

/** Round robin over the channels: what a busy node's updates look like, in order per channel. */
export function interleave(channels: readonly PlannedChannel[]): readonly PlannedUpdate[] {
  const longest = Math.max(...channels.map(({ updates }) => updates.length));
  return Array.from({ length: longest }, (_, index) =>
    channels.flatMap(({ updates }) => updates[index] ?? []),
  ).flat();
}

export function chunksOf<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}
