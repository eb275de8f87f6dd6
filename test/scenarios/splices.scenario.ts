/**
 * HTLCs from before and after a pending splice, on whichever funding the chain holds (S41): told and
 * resolved as on a channel without a splice; the fundings that lost are discarded.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import type { ChannelType } from "@farwatch/protocol/channel";
import { readOutpoint } from "@farwatch/protocol/convert/channel";
import type { Outpoint } from "@farwatch/protocol/ids";
import { bytesOf, draftOf, finishedTx, fullySigned } from "../harness/channel/broadcast.js";
import type { Splice } from "../harness/channel/splice.js";
import type { Link } from "../harness/routing/link.js";
import { FINAL_DEPTH, weTakeBack } from "./acts/chain.js";
import { eventsOfAll, paymentEvents, userEvents } from "./acts/look.js";
import { pay, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];
/** `OP_1`: who gets what is taken out does not matter here. */
const ANYONE = Uint8Array.of(0x51);
const FEE_SAT = 1_000n;

const spliceOut = (link: Link, sat: bigint): Promise<Splice> =>
  link.channel.splices.negotiate({
    addSat: { holder: -sat },
    outputs: [{ script: ANYONE, valueSat: sat - FEE_SAT }],
  });

/** The counterparty's newest commitment on a funding confirms. */
const theyCloseOn = (world: World, { channel: { splices } }: Link, at: Outpoint): Promise<void> =>
  world.mine(1, [fullySigned(splices.setupOn(at), splices.commitmentOn(at, "counterparty"))]);

/** It takes a payment there, with the preimage. */
function theirClaimOn(at: Outpoint, { payment, part }: Paid): Uint8Array {
  const { splices } = part.link.channel;
  const commitment = splices.commitmentOn(at, "counterparty");
  const { preimage } = payment.secret;
  return finishedTx(draftOf(splices.setupOn(at), commitment, part.htlc, preimage));
}

const RESULTS = {
  claimed: async (world: World, at: Outpoint, both: readonly Paid[]) => {
    await world.mine(
      1,
      both.map((paid) => theirClaimOn(at, paid)),
    );
    return SENT;
  },
  "timed out": async (world: World, _at: Outpoint, both: readonly Paid[]) => {
    const taken = await weTakeBack(world, ...both);
    assert.ok(taken.length > 0);
    await world.mine(FINAL_DEPTH - 1);
    return FAILED;
  },
} as const;
type Result = keyof typeof RESULTS;

/** Txids of the fundings that the node was told to forget. */
const discarded = (world: World): readonly string[] =>
  world.node
    .eventsOf("discardFunding")
    .map(({ value: { funding } }) => readOutpoint(must(funding, "funding"), "funding").txid)
    .sort();

async function closeOnOneOfThree(
  world: World,
  {
    onSplice,
    result,
    channelType,
  }: { onSplice: boolean; result: Result; channelType: ChannelType },
): Promise<void> {
  const { record } = world;
  const ab = await world.open("ab", { channelType });
  const before = await pay(world, ab, 50_000);
  const old = ab.channel.funding;
  const [loser, winner] = [await spliceOut(ab, 20_000n), await spliceOut(ab, 30_000n)];
  const after = await pay(world, ab, 60_000);
  const at = onSplice ? winner.funding : old;
  if (onSplice) await world.mine(1, [bytesOf(winner.tx)]);
  await theyCloseOn(world, ab, at);
  await world.run();
  assert.deepEqual(userEvents(world).slice(0, 1), ["channelClosed"]);
  const expected = await RESULTS[result](world, at, [before, after]);
  await world.run();
  for (const { payment } of [before, after]) {
    assert.deepEqual(paymentEvents(world, payment), expected);
  }
  const updates = record.updates(ab.channelId);
  await world.mine(FINAL_DEPTH);
  await world.run();
  assert.equal(record.updates(ab.channelId), updates, "nothing is sent after the results");
  const [word, told] = [result === "claimed" ? "claimed" : "failed", eventsOfAll(world, ab)];
  const results = told.filter((event) => !event.startsWith("discardFunding"));
  const [spend, ...htlcs] = results;
  assert.equal(spend, "spent by counterparty:chain");
  assert.deepEqual([...htlcs].sort(), [`50000 ${word}:chain`, `60000 ${word}:chain`]);
  const losers = onSplice ? [loser] : [loser, winner];
  assert.deepEqual(discarded(world), losers.map(({ funding }) => funding.txid).sort());
  assert.deepEqual(world.dangling(), []);
  assert.equal(record.preimages(), 0);
}

for (const channelType of ["static_remote_key", "anchors_zero_fee_htlc"] as const) {
  for (const onSplice of [true, false]) {
    for (const result of ["claimed", "timed out"] as const) {
      scenario({
        id: "S41",
        variant: `${result} on the ${onSplice ? "splice" : "old funding"}, ${channelType}`,
        async run(make) {
          await closeOnOneOfThree(await make(), { onSplice, result, channelType });
        },
      });
    }
  }
}
