/** The node's own payments in a world: registered, offered, and what the receiver makes of them. */
import { msat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import {
  hashOfPreimage,
  paymentId,
  preimage,
  type PaymentId,
  type Preimage,
} from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { Htlc } from "../../harness/channel/ledger.js";
import { ownPaymentSource } from "../../harness/channel/sources.js";
import { named } from "./seeded.js";
import type { World } from "./world.js";
import type { WorldChannel } from "./world-channel.js";

const DEFAULT_CLTV_DELTA = 80;

export interface PaymentOptions {
  /** Id, preimage and keys follow from it. */
  readonly name: string;
  readonly amountSat: number;
  readonly cltvDelta?: number;
  readonly isProbe?: boolean;
}

export interface OwnPayment {
  readonly paymentId: PaymentId;
  readonly preimage: Preimage;
  readonly htlc: Htlc;
}

export const preimageNamed = (name: string): Preimage => preimage(named(`preimage of ${name}`));
export const paymentNamed = (name: string): PaymentId => paymentId(toHex(named(`payment ${name}`)));

export async function registerPayment(world: World, options: PaymentOptions): Promise<void> {
  const { client } = world;
  const request = {
    paymentId: Buffer.from(fromHex(paymentNamed(options.name))),
    paymentHash: Buffer.from(fromHex(hashOfPreimage(preimageNamed(options.name)))),
    totalMsat: msat(options.amountSat * 1000),
    isProbe: options.isProbe ?? false,
  };
  await client.call((done) => client.rpc.registerPayment(request, client.metadata, done));
}

/** Proposes one part of it; it is committed by the next `settle`. */
export function offerPart(
  world: World,
  { channel }: WorldChannel,
  options: PaymentOptions & { readonly part?: string },
): OwnPayment {
  const { name, amountSat, cltvDelta = DEFAULT_CLTV_DELTA, part = "only" } = options;
  const known = preimageNamed(name);
  const amountMsat = msat(amountSat * 1000);
  const id = paymentNamed(name);
  const htlc = channel.addHtlc("holder", {
    amountMsat,
    paymentHash: hashOfPreimage(known),
    cltvExpiry: blockHeight(world.chain.height + cltvDelta),
    source: ownPaymentSource({
      paymentId: id,
      sessionKey: named(`session key of ${name}, part ${part}`),
      firstHopMsat: amountMsat,
    }),
  });
  return { paymentId: id, preimage: known, htlc };
}

/** Registered, offered in one part, and committed on both sides. */
export async function pay(
  world: World,
  channel: WorldChannel,
  options: PaymentOptions,
): Promise<OwnPayment> {
  await registerPayment(world, options);
  const payment = offerPart(world, channel, options);
  await channel.channel.settle();
  return payment;
}

/** The receiver claims it and the dance completes. */
export async function claim({ channel }: WorldChannel, payment: OwnPayment): Promise<void> {
  await channel.fulfillHtlc(payment.htlc, payment.preimage);
  await channel.settle();
}

/** The receiver fails it and the dance completes. */
export async function fail(
  { channel }: WorldChannel,
  payment: OwnPayment,
  reason?: HtlcFailReason,
): Promise<void> {
  channel.failHtlc(payment.htlc, reason);
  await channel.settle();
}
