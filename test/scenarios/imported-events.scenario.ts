/**
 * A channel whose monitor of before had told results that nobody has acked (contract 2.9; D18): they get
 * ids from 1 in the order in which they were stored, and are told, handled and acked like any other.
 */
import assert from "node:assert/strict";
import type { ImportedEvent } from "@farwatch/protocol/convert/imported-events";
import { htlcId, updateId, type Preimage } from "@farwatch/protocol/ids";
import { onionFailure } from "../harness/channel/proposals.js";
import type { Outgoing } from "../harness/routing/outgoing.js";
import { receive } from "./acts/forwards.js";
import { eventsOfAll, paymentEvents, userEvents } from "./acts/look.js";
import { fulfil, handleHeld, hold, inSat, pay } from "./acts/payments.js";
import { assertRefused } from "./acts/refusals.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];
/** Updates that the monitor of before had taken. */
const BEFORE = 40n;

/** What it had told of an HTLC; without a preimage: failed. */
const told = ({ source, ...htlc }: Outgoing, id: number, known?: Preimage): ImportedEvent => ({
  body: {
    kind: "htlcEvent",
    source,
    paymentHash: htlc.paymentHash,
    htlcId: htlcId(id),
    amountMsat: htlc.amountMsat,
    userChannelId: undefined,
    resolution:
      known === undefined
        ? { kind: "failed", reason: onionFailure() }
        : {
            kind: "claimed",
            preimage: known,
            skimmedFeeMsat: undefined,
            attributionData: undefined,
          },
  },
  origin: { kind: "update", updateId: updateId(BEFORE - 5n + BigInt(id)) },
});

/** A part of a payment, sent over a channel that the manager learns of only now. */
async function partBefore(
  { node }: World,
  link: Parameters<World["node"]["planPart"]>[1],
  sat: number,
) {
  const payment = await node.registerPayment(inSat(sat));
  return { payment, part: await node.planPart(payment, link, inSat(sat)) };
}

scenario({
  id: "D18",
  variant: "own payments and a forward",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const ab = await world.open("ab");
    const [failed, claimed] = [
      await partBefore(world, ab, 50_000),
      await partBefore(world, ab, 60_000),
    ];
    const received = await receive(world, ab, 70_000);
    const leg = node.plan(received, ab);
    hold(world);
    const imported = [
      told(failed.part, 1),
      told(claimed.part, 2, claimed.payment.secret.preimage),
      told(leg, 0, received.secret.preimage),
    ];
    const bc = await world.open("bc", { imported, firstUpdateId: BEFORE + 1n });
    await world.run();
    const sat = leg.amountMsat / 1_000n;
    const words = ["50000 failed:update", "60000 claimed:update", `${sat} claimed:update`];
    assert.deepEqual(eventsOfAll(world, bc), words, "in the order in which they were stored");
    for (const { disk } of world.monitors) {
      assert.deepEqual(
        disk.told().map(({ eventId }) => eventId),
        [1n, 2n, 3n],
      );
    }
    const before = world.dangling().map(({ event }) => event.eventHash);
    assert.equal(before.length, 3 * world.monitors.length, "un-acked until they are handled");
    for (const name of ["m1", "m2", "manager"]) world.crash(name);
    for (const name of ["m1", "m2", "manager"]) await world.restart(name);
    assert.deepEqual(
      world.dangling().map(({ event }) => event.eventHash),
      before,
      "numbered once",
    );
    await handleHeld(world);
    await world.run();
    assert.deepEqual(paymentEvents(world, failed.payment), FAILED);
    assert.equal(paymentEvents(world, claimed.payment)[0], "paymentSent");
    assert.deepEqual(
      userEvents(world).filter((kind) => kind === "paymentForwarded"),
      ["paymentForwarded"],
    );
    const sent = ab.sent.map(({ kind }) => kind);
    assert.deepEqual(sent, ["claim"], "the inbound HTLC is claimed");
    assert.equal(ab.stageOf(received.htlc.id), "gone");
    assert.deepEqual(world.dangling(), []);
    const next = await pay(world, bc, 20_000);
    await fulfil(next);
    await world.run();
    assert.deepEqual(paymentEvents(world, next.payment), SENT, "the channel goes on");
    const ids = world
      .monitor("m1")
      .disk.told()
      .map(({ eventId }) => eventId);
    assert.deepEqual(ids, [1n, 2n, 3n, 4n], "and so do the ids");
    assert.equal(record.preimages(bc.channelId), 0);
  },
});

scenario({
  id: "D18",
  variant: "what an import may not say",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const { payment, part } = await partBefore(world, ab, 50_000);
    const good = told(part, 1, payment.secret.preimage);
    const late = { ...good, origin: { ...good.origin, updateId: updateId(BEFORE + 1n) } };
    const opening = world.open("bc", { imported: [late], firstUpdateId: BEFORE + 1n });
    await assertRefused(opening, "malformed");
    await world.run();
    assert.deepEqual(userEvents(world), []);
    for (const { disk } of world.monitors) assert.deepEqual(disk.told(), []);
    const bc = await world.open("bd", { imported: [good, good], firstUpdateId: BEFORE + 1n });
    await world.run();
    assert.deepEqual(
      eventsOfAll(world, bc),
      ["50000 claimed:update"],
      "told twice, it is one fact",
    );
    assert.equal(paymentEvents(world, payment)[0], "paymentSent");
    assert.deepEqual(world.dangling(), []);
  },
});
