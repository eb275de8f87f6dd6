/**
 * C broadcasts a revoked commitment, or one of its newest two, while forwards are at every stage of
 * being added and failed: each is failed back exactly once, when its fate is final and not before.
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import type { Link } from "../harness/routing/link.js";
import type { Received } from "../harness/routing/routing-node.js";
import { theyClose, weTakeBack } from "./acts/chain.js";
import { almostFinal, assertFailedBack, assertUndecided, oneMore } from "./acts/finality.js";
import {
  claim,
  fail,
  forward,
  reasonSent,
  receive,
  refuse,
  sentOn,
  type Forward,
  type Hops,
} from "./acts/forwards.js";
import { eventsOfAll, paymentEvents, userEvents } from "./acts/look.js";
import { inSat } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

/** C fails these and signs; B revokes and signs; C revokes: that may not reach B. */
async function failUnanswered(bc: Link, failed: readonly Forward[]): Promise<void> {
  for (const one of failed) refuse(one);
  await bc.commit("counterparty");
  await bc.revoke("holder");
}

const KINDS = {
  "plain HTLCs": { amounts: [30_000, 20_000, 10_000], pushMsat: msat(400_000_000) },
  "dust HTLCs": { amounts: [300, 200, 100], pushMsat: msat(400_000_000) },
  "C owns nothing": { amounts: [30_000, 20_000, 10_000], pushMsat: msat(0) },
} as const;

for (const [kind, { amounts, pushMsat }] of Object.entries(KINDS)) {
  for (const arrives of [false, true]) {
    scenario({
      id: "S79",
      variant: `${kind}; C's revocation ${arrives ? "arrives" : "is lost"}`,
      async run(make) {
        const world = await make();
        const { node, record } = world;
        const hops = { ab: await world.open("ab"), bc: await world.open("bc", { pushMsat }) };
        const { ab, bc } = hops;
        const before = await forward(world, hops, pushMsat === 0n ? 50 : 5_000);
        const revoked = bc.channel.commitment("counterparty").number;
        await claim(before);
        await world.run();
        const forwards: Forward[] = [];
        for (const amount of amounts) forwards.push(await forward(world, hops, amount));
        const [first, second, third] = forwards;
        assert.ok(first !== undefined && second !== undefined && third !== undefined);
        await failUnanswered(bc, [first]);
        await bc.commit("holder");
        await bc.channel.revoke("counterparty");
        const payment = await node.registerPayment(inSat(1_000));
        const part = await node.planPart(payment, bc, inSat(1_000));
        if (arrives) {
          await bc.channel.receiveRevocation("holder");
          await failUnanswered(bc, [second]);
          node.offer(part);
          await bc.commit("holder"); // C's newest has the payment and neither of the two
          refuse(third);
        } else refuse(second);
        await world.quiesce();
        const updates = record.updates(bc.channelId);
        await theyClose(world, bc, revoked);
        await almostFinal(world);
        assertUndecided(world, ...(arrives ? [second, third] : forwards));
        if (!arrives) await node.notSent(part, "the channel closed");
        await oneMore(world);
        assertFailedBack(world, ...forwards);
        const reasons = forwards.map((one) => reasonSent(one).cause.kind);
        const signed = arrives ? ["onionError", "onionError"] : ["onionError", "onChainTimeout"];
        assert.deepEqual(reasons, [...signed, "onChainTimeout"], "C's word where it signed it");
        const own = ["paymentPathFailed", "paymentFailed"];
        assert.deepEqual(paymentEvents(world, payment), own);
        await world.mineBroadcasts();
        await world.mine(12);
        await world.run();
        assertFailedBack(world, ...forwards);
        const fails = ["htlcHandlingFailed", "htlcHandlingFailed", "htlcHandlingFailed"];
        assert.deepEqual(
          [...userEvents(world)].sort(),
          ["channelClosed", ...fails, "paymentForwarded", ...own].sort(),
        );
        assert.equal(record.updates(bc.channelId), updates + 1, "the close");
        assert.equal(record.preimages(ab.channelId), 2, "of the one that was claimed before");
        assert.deepEqual(world.dangling(), []);
      },
    });
  }
}

/** Six dust and six plain HTLCs: two of each kind come last, in one commitment of C only. */
interface Twelve {
  readonly gone: readonly Forward[];
  readonly failing: { readonly dust: readonly Forward[]; readonly plain: readonly Forward[] };
  readonly kept: { readonly dust: readonly Forward[]; readonly plain: readonly Forward[] };
  readonly added: { readonly dust: readonly Forward[]; readonly plain: readonly Forward[] };
}

const all = ({ dust, plain }: Twelve["kept"]): readonly Forward[] => [...dust, ...plain];

async function twelve(world: World, hops: Hops): Promise<Twelve> {
  const { node } = world;
  const { ab, bc } = hops;
  const standing = async (...amounts: readonly number[]): Promise<Forward[]> => {
    const forwards: Forward[] = [];
    for (const amount of amounts) forwards.push(await forward(world, hops, amount));
    return forwards;
  };
  const gone = await standing(101, 10_001);
  const failing = { dust: await standing(102, 103), plain: await standing(10_002, 10_003) };
  const kept = { dust: await standing(104), plain: await standing(10_004) };
  const received: Received[] = [];
  for (const amount of [105, 106, 10_005, 10_006]) received.push(await receive(world, ab, amount));
  for (const one of gone) await fail(one);
  await failUnanswered(bc, all(failing));
  const late = received.map((inbound) => ({
    secret: inbound.secret,
    inbound,
    leg: node.offer(node.plan(inbound, bc)),
  }));
  await bc.commit("holder");
  await bc.channel.revoke("counterparty");
  return { gone, failing, kept, added: { dust: late.slice(0, 2), plain: late.slice(2) } };
}

/** The node does as it is told, and A gets what it owes; C's channel stays as it is. */
async function failBack(world: World, ab: Link): Promise<void> {
  await world.quiesce();
  await world.node.handleItems();
  await ab.settle();
  await world.quiesce();
}

interface Announced {
  readonly variant: string;
  readonly arrives: boolean;
  readonly back: 0 | 1;
  /** Absent from what confirms, or dust in it: six blocks. */
  failsAt6(twelve: Twelve): readonly Forward[];
}

const ANNOUNCED: readonly Announced[] = [
  {
    variant: "its newest commitment; its revocation is lost",
    arrives: false,
    back: 0,
    failsAt6: ({ failing, kept, added }) => [...all(failing), ...kept.dust, ...added.dust],
  },
  {
    variant: "its newest commitment; its revocation arrived",
    arrives: true,
    back: 0,
    failsAt6: ({ kept, added }) => [...kept.dust, ...added.dust],
  },
  {
    variant: "its previous commitment; its revocation is lost",
    arrives: false,
    back: 1,
    failsAt6: ({ failing, kept, added }) => [...failing.dust, ...kept.dust, ...all(added)],
  },
];

for (const { variant, arrives, back, failsAt6 } of ANNOUNCED) {
  scenario({
    id: "S80",
    variant,
    async run(make) {
      const world = await make();
      const hops = { ab: await world.open("ab"), bc: await world.open("bc") };
      const { bc } = hops;
      const given = await twelve(world, hops);
      if (arrives) await bc.channel.receiveRevocation("holder");
      await failBack(world, hops.ab);
      const offChain = arrives ? [...given.gone, ...all(given.failing)] : given.gone;
      assertFailedBack(world, ...offChain);
      await theyClose(world, bc, bc.channel.commitment("counterparty").number - back);
      await almostFinal(world);
      assertFailedBack(world, ...offChain);
      await oneMore(world);
      const decided = [...offChain, ...failsAt6(given)];
      assertFailedBack(world, ...decided);
      const every = [...given.gone, ...all(given.failing), ...all(given.kept), ...all(given.added)];
      assert.equal(every.length, 12);
      const rest = every.filter((one) => !decided.includes(one));
      assertUndecided(world, ...rest);
      await weTakeBack(world, ...rest.map(sentOn));
      await almostFinal(world);
      assertFailedBack(world, ...decided);
      await oneMore(world);
      assertFailedBack(world, ...every);
      assert.equal(eventsOfAll(world, bc).length, every.length + 1, "one each, and the spend");
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 0);
    },
  });
}
