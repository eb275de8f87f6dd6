/**
 * The updates of real channels, made ahead of time: every channel pays HTLCs one after the other, each
 * is committed on both sides and claimed. A payment is six updates (two commitments of either side and
 * two revocations), and its claim is one event of the monitor.
 */
import { createHash } from "node:crypto";
import { msat, sat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import type { InitialState } from "@farwatch/protocol/channel";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import type { Curve } from "@farwatch/protocol/curve/curve";
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
  /** Signatures that a monitor verifies in it: funding and HTLCs of a holder commitment. */
  readonly ecdsaSignatures: number;
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
  readonly payments: number;
}

export async function planChannel(options: WorkloadOptions): Promise<PlannedChannel> {
  const { curve, seed, name, payments } = options;
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
  for (let payment = 0; payment < payments; payment++) await pay(channel, `${name}/${payment}`);
  return {
    initial: channel.initialState(),
    updates: payloads.map((steps) => ({
      channelId: channel.channelId,
      payload: encodeUpdatePayload(steps),
      ecdsaSignatures: steps.reduce((sum, step) => sum + signaturesIn(step), 0),
    })),
  };
}

async function pay(channel: Channel, name: string): Promise<void> {
  const { preimage, paymentHash } = secretNamed(name);
  const htlc = channel.addHtlc("holder", { amountMsat: PAYMENT, paymentHash, cltvExpiry: EXPIRY });
  await channel.settle();
  await channel.fulfillHtlc(htlc, preimage);
  await channel.settle();
}

const signaturesIn = (step: UpdateStep): number =>
  step.kind === "latestHolderCommitment"
    ? 1 + step.commitment.counterpartyHtlcSignatures.length
    : 0;

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
