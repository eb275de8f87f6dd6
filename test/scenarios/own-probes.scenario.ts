/** Probes, and payment ids that are in use. */
import assert from "node:assert/strict";
import { eventsOfAll, unackedOf, userEvents } from "./acts/look.js";
import { answer, fulfil, hold, inSat, pay, refuse, register } from "./acts/payments.js";
import { assertRefused } from "./acts/refusals.js";
import { FINAL_DEPTH, theyClose } from "./acts/chain.js";
import { scenario } from "./scenario.js";

for (const [variant, arrived, outcome] of [
  ["it arrives", true, "probeSuccessful"],
  ["it fails on its way", false, "probeFailed"],
] as const) {
  scenario({
    id: "S21",
    variant,
    async run(make) {
      const world = await make();
      hold(world);
      const ab = await world.open("ab");
      const probe = await pay(world, ab, 50_000, { isProbe: true });
      refuse(probe);
      await world.run();
      assert.deepEqual(userEvents(world), ["probeResult"]);
      await answer(world, "probeResult", { kind: "probe", arrived });
      await world.run();
      assert.deepEqual(userEvents(world), ["probeResult", outcome], "and never a failed payment");
      assert.deepEqual(unackedOf(world), ["50000 failed:update"], "until the outcome is handled");
      await answer(world, outcome, { kind: "handled" });
      await world.run();
      assert.deepEqual(userEvents(world), ["probeResult", outcome]);
      assert.deepEqual(eventsOfAll(world, ab), ["50000 failed:update"]);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.updates(ab.channelId), 6);
    },
  });
}

scenario({
  id: "S39",
  async run(make) {
    const world = await make();
    hold(world, "probeResult", "probeFailed");
    const ab = await world.open("ab");
    await pay(world, ab, 100, { isProbe: true });
    await theyClose(world, ab);
    await world.run();
    const before = world.record.updates(ab.channelId);
    await world.mine(FINAL_DEPTH - 2);
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed"], "five deep is not enough");
    await world.mine();
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed", "probeResult"]);
    await answer(world, "probeResult", { kind: "probe", arrived: false });
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed", "probeResult", "probeFailed"]);
    assert.deepEqual(unackedOf(world), ["100 failed:chain"], "until the outcome is handled");
    await answer(world, "probeFailed", { kind: "handled" });
    await world.run();
    assert.deepEqual(eventsOfAll(world, ab), ["spent by counterparty:chain", "100 failed:chain"]);
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.updates(ab.channelId), before, "nothing is sent for it");
    assert.equal(world.record.preimages(), 0);
  },
});

// Rows of payments are kept for ever so far (src/manager/README.md): "until pruned" is never.
for (const outcome of ["claimed", "abandoned"] as const) {
  scenario({
    id: "S27",
    variant: outcome,
    async run(make) {
      const world = await make();
      hold(world, "paymentSent", "paymentFailed");
      const ab = await world.open("ab");
      const payment = await world.node.registerPayment(inSat(50_000));
      await register(world, payment, 50_000); // its answer may have been lost
      await assertRefused(register(world, payment, 50_001), "malformed");
      const part = await world.node.payPart(payment, ab, inSat(50_000));
      const refused = () => assertRefused(register(world, payment, 50_000), "malformed");
      await refused();
      if (outcome === "claimed") await fulfil({ payment, part });
      else refuse({ payment, part });
      await world.run();
      await refused();
      const end = outcome === "claimed" ? "paymentSent" : "paymentFailed";
      assert.ok(userEvents(world).includes(end));
      await answer(world, end, { kind: "handled" });
      await refused();
      await world.mine(100);
      await world.restart("manager");
      await world.restartNode();
      await refused();
      const told = userEvents(world).filter((kind) => kind === end);
      assert.deepEqual(told, [end], "told once");
      assert.equal(world.record.updates(ab.channelId), 6);
    },
  });
}
