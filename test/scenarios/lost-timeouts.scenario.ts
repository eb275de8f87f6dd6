/**
 * HTLCs that a closed channel fails, plain and dust, own payments and forwards at once: the monitors tell
 * it while the manager is dead, and the manager that hears it dies again before the node has handled it.
 */
import assert from "node:assert/strict";
import { blockHeight } from "@farwatch/protocol/block";
import type { ChannelType } from "@farwatch/protocol/channel";
import { FINAL_DEPTH, theyClose, weClose, weTakeBack } from "./acts/chain.js";
import { assertFailedBack } from "./acts/finality.js";
import { claim, forward, sentOn, type Forward, type Hops } from "./acts/forwards.js";
import { eventsOf, paymentEvents } from "./acts/look.js";
import { inSat, pay, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const FAILED = ["paymentPathFailed", "paymentFailed"];
/** A forward of it, and a payment, expire at one height. */
const INBOUND_EXPIRY = blockHeight(320);

interface Sending {
  readonly hops: Hops;
  readonly forwards: readonly Forward[];
  readonly payments: Paid[];
}

/** 50000 and 60000 sat, 300 and 320: the small ones are dust. */
async function send(world: World, channelType: ChannelType): Promise<Sending> {
  const hops = { ab: await world.open("ab"), bc: await world.open("bc", { channelType }) };
  const given = { cltvExpiry: INBOUND_EXPIRY };
  const forwards = [
    await forward(world, hops, 50_000, { given }),
    await forward(world, hops, 300, { given }),
  ];
  const payments = [await pay(world, hops.bc, 60_000), await pay(world, hops.bc, 320)];
  return { hops, forwards, payments };
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

/** The peer of this one does not answer. */
async function payUnanswered({ node }: World, { bc }: Hops): Promise<Paid> {
  const payment = await node.registerPayment(inSat(70_000));
  const part = node.offer(await node.planPart(payment, bc, inSat(70_000)));
  await bc.commit("holder");
  return { payment, part };
}

for (const { name, spend, channelType = "static_remote_key", last, close } of CLOSINGS) {
  scenario({
    id: "S82",
    variant: name,
    async run(make) {
      const world = await make({ monitors: 1 });
      const { hops, forwards, payments } = await send(world, channelType);
      const { number } = hops.bc.channel.commitment("counterparty");
      if (last) payments.push(await payUnanswered(world, hops));
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
