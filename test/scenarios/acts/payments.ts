/** The node's own payments in a world, by amount: scenarios give every HTLC another one. */
import { msat, type Msat } from "@farwatch/protocol/amount";
import { fromHex } from "@farwatch/protocol/bytes";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { Link, OnLink } from "../../harness/routing/link.js";
import type { Payment } from "../../harness/routing/outgoing.js";
import { HOLD, plainPolicy, type TellingEvent } from "../../harness/routing/policy.js";
import type { World } from "../world/world.js";

export const inSat = (amountSat: number): Msat => msat(amountSat * 1_000);

/** A payment and one part of it on a channel. */
export interface Paid {
  readonly payment: Payment;
  readonly part: OnLink;
}

/** Registered, sent in one part, and committed on both sides. */
export async function pay(
  { node }: World,
  link: Link,
  amountSat: number,
  given: Parameters<World["node"]["registerPayment"]>[1] = {},
): Promise<Paid> {
  const payment = await node.registerPayment(inSat(amountSat), given);
  return { payment, part: await node.payPart(payment, link, inSat(amountSat)) };
}

/** RegisterPayment of what is registered already. */
export const register = ({ node }: World, { paymentId, secret }: Payment, amountSat: number) =>
  node.connection.registerPayment({
    paymentId: Buffer.from(fromHex(paymentId)),
    paymentHash: Buffer.from(fromHex(secret.paymentHash)),
    totalMsat: inSat(amountSat),
    isProbe: false,
  });

/** The peer's update_fulfill_htlc; the dance is up to the scenario. */
export const fulfil = ({ payment, part }: Paid): Promise<void> =>
  part.link.channel.fulfillHtlc(part.htlc, payment.secret.preimage);

/** The peer's update_fail_htlc; the dance is up to the scenario. */
export const refuse = ({ part }: Paid, reason?: HtlcFailReason): void =>
  part.link.channel.failHtlc(part.htlc, reason);

/** The user takes its time with these kinds (default: everything), until `handleHeld`. */
export function hold({ node }: World, ...kinds: readonly TellingEvent["$case"][]): void {
  const { answer } = node.policy;
  const held = (event: TellingEvent): boolean => kinds.length === 0 || kinds.includes(event.$case);
  node.policy = { ...node.policy, answer: (event) => (held(event) ? HOLD : answer(event)) };
}

/** The user answers what it was told, in this order, as plainPolicy does; what comes next at once. */
export async function handleHeld({ node }: World): Promise<void> {
  node.policy = plainPolicy;
  for (const told of node.told) {
    if (told.answer.kind === "hold") await node.finish(told, plainPolicy.answer(told.event));
  }
}

/** An answer to the first un-answered event of a kind. */
export async function answer(
  { node }: World,
  kind: TellingEvent["$case"],
  given: Parameters<World["node"]["finish"]>[1],
): Promise<void> {
  const told = node.told.find((one) => one.event.$case === kind && one.answer.kind === "hold");
  if (told === undefined) throw new Error(`no ${kind} waits for an answer`);
  await node.finish(told, given);
}
