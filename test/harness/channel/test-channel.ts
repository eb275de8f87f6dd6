/**
 * Short ways for tests to get a channel, payments and the updates it tells; no decisions of its own.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { msat, sat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import { utf8 } from "@farwatch/protocol/bytes";
import {
  hashOfPreimage,
  preimage,
  txid,
  type Outpoint,
  type PaymentHash,
  type Preimage,
} from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { createChannel, type Channel, type ChannelOptions } from "./channel.js";
import type { Htlc } from "./ledger.js";
import type { Side } from "./setup.js";

/** For channels that never reach a chain. */
export const NOWHERE: Outpoint = { txid: txid("ab".repeat(32)), vout: 1 };
export const DEFAULT_EXPIRY = blockHeight(600);

export interface Secret {
  readonly preimage: Preimage;
  readonly paymentHash: PaymentHash;
}

/** The same name gives the same preimage. */
export function secretNamed(name: string): Secret {
  const known = preimage(sha256(utf8(name)));
  return { preimage: known, paymentHash: hashOfPreimage(known) };
}

export interface Told {
  readonly side: Side;
  readonly step: UpdateStep;
}

/** Fixed keys, so that failures repeat. */
export const testChannelOptions: ChannelOptions = {
  channelType: "static_remote_key",
  capacitySat: sat(1_000_000),
  pushMsat: msat(400_000_000),
  holder: { channelKeysId: new Uint8Array(32).fill(0x11) },
  counterparty: { channelKeysId: new Uint8Array(32).fill(0x22) },
};

/** A channel off chain that records every step told. */
export function recordedChannel(options: Partial<ChannelOptions> = {}): {
  readonly channel: Channel;
  readonly told: Told[];
} {
  const told: Told[] = [];
  const plan = createChannel({
    ...testChannelOptions,
    onUpdate: (steps, side) => void told.push(...steps.map((step) => ({ side, step }))),
    ...options,
  });
  return { channel: plan.open(NOWHERE), told };
}

/** Offers an HTLC whose preimage is `secretNamed(name)`. */
export const offer = (
  channel: Channel,
  from: Side,
  amountSat: number,
  name: string,
  expiry: number = DEFAULT_EXPIRY,
): Htlc =>
  channel.addHtlc(from, {
    amountMsat: msat(amountSat * 1000),
    paymentHash: secretNamed(name).paymentHash,
    cltvExpiry: blockHeight(expiry),
  });
