/** The node is the payee (contract section 1, ClaimPayment; 2.14). */
import assert from "node:assert/strict";
import { eventsOfAll, userEvents } from "./acts/look.js";
import { inSat } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { Link } from "../harness/routing/link.js";

const fulfils = (link: Link): number => link.sent.filter(({ kind }) => kind === "claim").length;

for (const who of ["nobody", "manager", "node"] as const) {
  scenario({
    id: "S17",
    variant: `${who} is restarted meanwhile`,
    async run(make) {
      const world = await make();
      const { node } = world;
      const ab = await world.open("ab");
      const received = await node.receive(ab, inSat(50_000));
      await node.offered(ab, inSat(20_000));
      await ab.commit("counterparty");
      await ab.revoke("holder");
      await ab.commit("holder"); // B waits for the secret of A's commitment
      await world.partition("m2");
      await node.claimPayment(received.secret, [received]);
      await world.quiesce();
      await node.handleItems();
      assert.equal(fulfils(ab), 0, "not before the preimage is durable everywhere");
      assert.deepEqual(userEvents(world), []);
      if (who === "manager") await world.restart("manager");
      if (who === "node") await world.restartNode();
      await node.handleItems();
      assert.equal(fulfils(ab), 0);
      await world.heal("m2");
      await world.run();
      assert.equal(fulfils(ab), 1, "one update_fulfill_htlc");
      assert.equal(ab.stageOf(received.htlc.id), "gone");
      assert.deepEqual(userEvents(world), ["paymentClaimed"]);
      assert.deepEqual(eventsOfAll(world, ab), []);
      assert.equal(world.record.preimages(ab.channelId), world.monitors.length, "once on each");
    },
  });
}
