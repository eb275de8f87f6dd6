/**
 * HTLCs that A sends through B to C, in a world: A and C are the peers of B's channels "ab" and "bc".
 * Amounts in sat name them, so a scenario gives each another.
 */
import assert from "node:assert/strict";
import { msat, type Msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { HtlcLocator, PaymentForwarded } from "@farwatch/protocol/gen/manager/v1/event";
import { channelId } from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { Side } from "../../harness/channel/setup.js";
import type { Secret } from "../../harness/channel/test-channel.js";
import type { Link, OnLink } from "../../harness/routing/link.js";
import type { ForwardOptions } from "../../harness/routing/outgoing.js";
import type { Received } from "../../harness/routing/routing-node.js";
import type { World } from "../world/world.js";
import { outputOf, type Sent } from "./chain.js";

export interface Hops {
  readonly ab: Link;
  readonly bc: Link;
}

/** The inbound HTLC on A's channel and the outbound one on C's. */
export interface Forward {
  readonly secret: Secret;
  readonly inbound: Received;
  readonly leg: OnLink;
}

type Given = Parameters<World["node"]["receive"]>[2];

/** Both channels, durable everywhere. */
export async function openHops(world: World): Promise<Hops> {
  return { ab: await world.open("ab"), bc: await world.open("bc") };
}

/** A's HTLC, committed on both sides. */
export const receive = (
  { node }: World,
  from: Link,
  amountSat: number,
  given: Given = {},
): Promise<Received> => node.receive(from, msat(amountSat * 1_000), given);

/** B forwards it, less HOP_FEE_MSAT; committed on both sides. */
export async function forwardOn(
  { node }: World,
  inbound: Received,
  to: Link,
  options: ForwardOptions = {},
): Promise<Forward> {
  return { secret: inbound.secret, inbound, leg: await node.forward(inbound, to, options) };
}

/** Received and forwarded, committed on all four sides. */
export async function forward(
  world: World,
  { ab, bc }: Hops,
  amountSat: number,
  options: ForwardOptions & { readonly given?: Given } = {},
): Promise<Forward> {
  const { given, ...rest } = options;
  return forwardOn(world, await receive(world, ab, amountSat, given), bc, rest);
}

/** C's update_fulfill_htlc, in no commitment yet. */
export const fulfil = ({ leg, secret }: Forward): Promise<void> =>
  leg.link.channel.fulfillHtlc(leg.htlc, secret.preimage);

/** C's update_fail_htlc, in no commitment yet. */
export const refuse = ({ leg }: Forward, reason?: HtlcFailReason): void =>
  leg.link.channel.failHtlc(leg.htlc, reason);

/** C fulfils and signs B's next commitment: the claim is a fact, the dance is not over. */
export async function claim(one: Forward): Promise<void> {
  await fulfil(one);
  await one.leg.link.commit("counterparty");
}

/** C fails it and the dance is over: nobody can bring it back. */
export async function fail(one: Forward, reason?: HtlcFailReason): Promise<void> {
  refuse(one, reason);
  await one.leg.link.settle();
}

/** What acts/chain.ts works with. */
export const sentOn = (one: Forward): Sent => ({ payment: one, part: one.leg });

/** How A got its HTLC back: claimed, failed, or not at all; never twice. */
export function answersTo({ inbound: { link, htlc } }: Forward): readonly string[] {
  const answers = link.sent.filter(({ htlcId }) => htlcId === htlc.id).map(({ kind }) => kind);
  assert.ok(answers.length <= 1, `HTLC ${htlc.id} of ${link.name} has two answers`);
  return answers;
}

/** The HTLC is gone from both of A's commitments, and how. */
export function endOf(one: Forward): string {
  const { link, htlc } = one.inbound;
  return `${link.stageOf(htlc.id)} ${answersTo(one).join()}`.trim();
}

/**
 * Mines what is broadcast; then B must have taken A's HTLC with the preimage, from the commitment of
 * `side` (default: A's) with this number (default: the newest).
 */
export async function assertClaimedOnChain(
  world: World,
  { inbound, secret }: Forward,
  side: Side = "counterparty",
  given?: number,
): Promise<void> {
  await world.mineBroadcasts();
  const { link, htlc } = inbound;
  const number = given ?? (side === "holder" ? link.channel.received("holder") : undefined);
  const taken = { payment: { secret }, part: { link, htlc } };
  const spender = world.chain.spenderOf(outputOf(taken, side, number));
  const ours = world.chain.broadcasts.find(({ txid }) => txid === spender);
  assert.ok(ours !== undefined, "A's HTLC is claimed by a monitor");
  assert.ok(toHex(ours.raw).includes(toHex(secret.preimage)), "with the preimage");
}

/** B gives A's channel up: its newest commitment confirms. */
export async function closeByUs(world: World, link: Link): Promise<void> {
  link.giveUp(true, "the scenario says so");
  await link.closing;
  await world.mineBroadcasts();
}

/** A PaymentForwarded as a scenario compares it. */
export interface ForwardTold {
  readonly prev: readonly string[];
  readonly next: readonly string[];
  readonly feeMsat: bigint | undefined;
  readonly skimmedMsat: bigint | undefined;
  readonly onChain: boolean;
}

/** Every PaymentForwarded, in the order first told; HTLCs by channel and id: "ab/0". */
export const forwardsTold = (world: World): readonly ForwardTold[] =>
  world.node.told.flatMap(({ event }) =>
    event.$case === "paymentForwarded" ? [inWords(world, event.value)] : [],
  );

/** The inbound HTLCs of every HTLCHandlingFailed, in the order first told. */
export const failsTold = (world: World): readonly string[] =>
  world.node
    .eventsOf("htlcHandlingFailed")
    .flatMap(({ value }) => value.prev.map((htlc) => locatorName(world, htlc)));

/** Why A's HTLC was failed, as A reads it. */
export function reasonSent({ inbound: { link, htlc } }: Forward): HtlcFailReason {
  const sent = must(
    link.sent.findLast(({ htlcId }) => htlcId === htlc.id),
    "an answer to A",
  );
  assert.ok(sent.kind === "fail");
  return sent.reason;
}

/** What one forward is told as when it is claimed; one fee of HOP_FEE_MSAT unless said otherwise. */
export const toldOf = (
  { inbound, leg }: Forward,
  more: Partial<Pick<ForwardTold, "feeMsat" | "skimmedMsat" | "onChain">> = {},
): ForwardTold => ({
  prev: [nameOf(inbound)],
  next: [nameOf(leg)],
  feeMsat: feeOf(inbound.htlc.amountMsat, leg.htlc.amountMsat),
  skimmedMsat: undefined,
  onChain: false,
  ...more,
});

const feeOf = (received: Msat, sent: Msat): bigint => received - sent;

const inWords = (world: World, told: PaymentForwarded): ForwardTold => ({
  prev: told.prev.map((htlc) => locatorName(world, htlc)),
  next: told.next.map((htlc) => locatorName(world, htlc)),
  feeMsat: told.totalFeeMsat,
  skimmedMsat: told.skimmedFeeMsat,
  onChain: told.claimFromOnchain,
});

function locatorName({ node }: World, { channelId: id, htlcId }: HtlcLocator): string {
  const link = must(node.linkOf(channelId(toHex(id))), "a channel of B");
  return `${link.name}/${htlcId}`;
}

export const nameOf = ({ link, htlc }: OnLink): string => `${link.name}/${htlc.id}`;
