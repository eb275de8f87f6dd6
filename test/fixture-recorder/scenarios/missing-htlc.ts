import { pay } from "../node/payments.js";
import { expiries, finish, nth, offer, openPair, type Scenario } from "./scenario.js";

export const missingHtlc: Scenario = {
  name: "missing_htlc",
  doc: "A's HTLC is in A's latest counterparty commitment but B never got it; B confirms its own commitment, which for A is the PREVIOUS unrevoked counterparty commitment: A must fail the HTLC after 6 confirmations",
  nodes: ["A", "B"],
  play: (run) => {
    const { a, b, link } = openPair(run);
    const delta = expiries(run, 2);
    const count = run.draw.int("number of h1", 1, 2);
    const finalDelta = nth(delta, 0);
    offer(run, { from: b, to: a, label: "h1_timeout_by_B", count, finalDelta });
    // The update is made when A signs, and B never hears of it: the link goes before anything is delivered.
    run.htlcs["h2_missing_from_confirmed"] = pay(a, b, {
      amountMsat: run.htlcMsat("h2"),
      finalDelta: nth(delta, 1),
    });
    run.network.disconnect(link);
    b.forceClose();
    run.network.settle();
    run.network.mine();
    finish(run);
  },
};
