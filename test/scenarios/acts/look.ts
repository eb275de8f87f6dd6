/**
 * What monitors and manager told, in words that a scenario compares. An HTLC is named by its amount in
 * sat, so a scenario gives each another. Spendable outputs are left out: they are no result.
 */
import assert from "node:assert/strict";
import { toHex } from "@farwatch/protocol/bytes";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import type { MonitorEventBody, SealedMonitorEvent } from "@farwatch/protocol/event";
import type { Link } from "../../harness/routing/link.js";
import type { Payment } from "../../harness/routing/outgoing.js";
import type { TellingEvent } from "../../harness/routing/policy.js";
import type { ProcessName } from "../world/life.js";
import type { World } from "../world/world.js";

/** Everything a monitor ever told of a channel, acked or not: "50000 claimed:update", "spent by revoked:chain". */
export const eventsOf = (world: World, link: Link, by: ProcessName = "m1"): readonly string[] =>
  world
    .monitor(by)
    .disk.told()
    .filter(({ channelId }) => channelId === link.channelId)
    .flatMap(inWords);

/** As eventsOf, and that every monitor told the same. */
export function eventsOfAll(world: World, link: Link): readonly string[] {
  const [first, ...others] = world.monitors.map(({ name }) => eventsOf(world, link, name));
  for (const other of others) assert.deepEqual(other, first, "every monitor tells the same");
  return first ?? [];
}

/** As eventsOf, those that one monitor still waits to be acked. */
export const unackedOf = (world: World, by: ProcessName = "m1"): readonly string[] =>
  world
    .dangling()
    .filter((one) => one.by === by)
    .flatMap(({ event }) => inWords(event));

/** Names of user events in the order they were first told. */
export const userEvents = (world: World): readonly string[] =>
  world.node.told.flatMap(({ event: { $case } }) => ($case === "spendableOutputs" ? [] : [$case]));

/** Those about one payment. */
export const paymentEvents = (world: World, { paymentId }: Payment): readonly string[] =>
  world.node.told.flatMap(({ event }) => (paymentIdOf(event) === paymentId ? [event.$case] : []));

const paymentIdOf = ({ value }: TellingEvent): string | undefined =>
  "paymentId" in value ? toHex(value.paymentId) : undefined;

type EventOf<K extends TellingEvent["$case"]> = Extract<TellingEvent, { $case: K }>;

/** The first user event of a kind. */
export function userEvent<K extends TellingEvent["$case"]>(world: World, kind: K): EventOf<K> {
  const isIt = (event: TellingEvent): event is EventOf<K> => event.$case === kind;
  const found = world.node.told.map(({ event }) => event).find(isIt);
  assert.ok(found !== undefined, `${kind} was never told`);
  return found;
}

function inWords({ payload }: SealedMonitorEvent): readonly string[] {
  const read = decodeEventPayload(payload);
  assert.ok(read.ok, "a payload that the monitor wrote");
  const { body, origin } = read.value;
  return body.kind === "spendableOutputs" ? [] : [`${bodyInWords(body)}:${origin.kind}`];
}

function bodyInWords(body: MonitorEventBody): string {
  switch (body.kind) {
    case "htlcEvent":
      return `${body.amountMsat / 1_000n} ${body.resolution.kind}`;
    case "commitmentTxConfirmed":
      return `spent by ${body.spend}`;
    case "holderForceClosed":
      return `closed for ${body.reason.kind}`;
    case "spendableOutputs":
    case "discardFunding":
    case "penaltyOvertaken":
      return body.kind;
  }
}
