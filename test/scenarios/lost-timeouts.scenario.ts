/**
 * HTLCs that a closed channel fails, plain and dust, own payments and forwards at once: the monitors tell
 * it while the manager is dead, and the manager that hears it dies again before the node has handled it.
 */
import assert from "node:assert/strict";
import { blockHeight } from "@farwatch/protocol/block";
import type { ChannelType } from "@farwatch/protocol/channel";
import type { Link } from "../harness/routing/link.js";
import { planPart } from "../harness/routing/outgoing.js";
import { FINAL_DEPTH, theyClose, weClose, weTakeBack } from "./acts/chain.js";
import { assertFailedBack } from "./acts/finality.js";
import { claim, forward, sentOn, type Forward, type Hops } from "./acts/forwards.js";
import { eventsOf, paymentEvents } from "./acts/look.js";
import { inSat, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import { named } from "./world/seeded.js";
import { FIRST_HEIGHT } from "./world/world-chain.js";
import type { World } from "./world/world.js";

const FAILED = ["paymentPathFailed", "paymentFailed"];
/** Of everything that is sent: soon, for every block is a point at which the sweep crashes somebody. */
const EXPIRY = blockHeight(FIRST_HEIGHT + 12);

interface Sending {
  readonly hops: Hops;
  readonly forwards: readonly Forward[];
  readonly payments: Paid[];
}

/** 50000 and 60000 sat, 300 and 320: the small ones are dust. Each channel dances once for all. */
async function send(world: World, channelType: ChannelType): Promise<Sending> {
  const { node } = world;
  const [ab, bc] = [await world.open("ab"), await world.open("bc", { channelType })];
  const inbound = [await node.offered(ab, inSat(50_000)), await node.offered(ab, inSat(300))];
  await ab.settle();
  const forwards = inbound.map((one) => ({
    secret: one.secret,
    inbound: one,
    leg: node.offer(node.plan(one, bc, { cltvExpiry: EXPIRY })),
  }));
  const payments = [await offerPart(world, bc, 60_000), await offerPart(world, bc, 320)];
  await bc.settle();
  return { hops: { ab, bc }, forwards, payments };
}

/** update_add_htlc of a payment in one part; the dance is up to the caller. */
async function offerPart({ node }: World, link: Link, amountSat: number): Promise<Paid> {
  const amountMsat = inSat(amountSat);
  const payment = await node.registerPayment(amountMsat);
  const sessionKey = named(`part of ${amountSat}`);
  const part = node.offer(planPart(payment, link, { amountMsat, cltvExpiry: EXPIRY, sessionKey }));
  return { payment, part };
}

interface Closing {
  readonly name: string;
  readonly spend: string;
  readonly channelType?: ChannelType;
  /** One more payment, in a commitment of C that nobody has answered. */
  readonly last?: true;
  /** What confirms, after a word with everybody if there has to be one. */
  close(world: World, hops: Hops, number: number): Promise<void>;
}

const CLOSINGS: readonly Closing[] = [
  {
    name: "a revoked commitment",
    spend: "revoked",
    async close(world, hops, number) {
      await claim(await forward(world, hops, 20_000));
      await world.run();
      await theyClose(world, hops.bc, number);
    },
  },
  {
    name: "C's previous commitment",
    spend: "counterpartyPrevious",
    last: true,
    close: (world, { bc }, number) => theyClose(world, bc, number),
  },
  {
    name: "C's newest commitment",
    spend: "counterparty",
    close: (world, { bc }) => theyClose(world, bc),
  },
  {
    name: "C's newest commitment, without fee",
    spend: "counterparty",
    channelType: "zero_fee_commitments",
    close: (world, { bc }) => theyClose(world, bc),
  },
  {
    name: "our commitment without the last payment",
    spend: "holder",
    last: true,
    close: (world, { bc }) => weClose(world, bc),
  },
  {
    name: "our commitment with everything",
    spend: "holder",
    close: (world, { bc }) => weClose(world, bc),
  },
];

for (const { name, spend, channelType = "static_remote_key", last, close } of CLOSINGS) {
  scenario({
    id: "S82",
    variant: name,
    async run(make) {
      const world = await make({ monitors: 1 });
      const { hops, forwards, payments } = await send(world, channelType);
      const { number } = hops.bc.channel.commitment("counterparty");
      if (last) {
        payments.push(await offerPart(world, hops.bc, 70_000));
        await hops.bc.commit("holder"); // and C does not answer
      }
      await close(world, hops, number);
      world.crash("manager");
      await weTakeBack(world, ...forwards.map(sentOn), ...payments);
      await world.mine(FINAL_DEPTH - 1);
      await world.restart("manager");
      const told = eventsOf(world, hops.bc).filter((one) => one.endsWith("failed:chain"));
      assert.deepEqual([...told].sort(), expected(last === true), "handed out");
      await world.restart("manager"); // and lost
      await world.run();
      assertFailedBack(world, ...forwards);
      for (const { payment } of payments) assert.deepEqual(paymentEvents(world, payment), FAILED);
      assert.ok(eventsOf(world, hops.bc).includes(`spent by ${spend}:chain`));
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), spend === "revoked" ? 1 : 0);
    },
  });
}

const expected = (last: boolean): readonly string[] =>
  [299, 320, 49_999, 60_000, ...(last ? [70_000] : [])].map((sat) => `${sat} failed:chain`).sort();
