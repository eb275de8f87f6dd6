import { expiries, finish, nth, offer, openPair, type Scenario } from "./scenario.js";

export const latePreimage: Scenario = {
  name: "late_preimage",
  doc: "A force closes; only after its commitment has confirmed do A (own HTLC-success) and B (claim on the counterparty commitment) learn their preimages",
  nodes: ["A", "B"],
  play: (run) => {
    const { a, b, link } = openPair(run);
    const { draw, network } = run;
    const delta = expiries(run, 2);
    const count = (what: string) => draw.int(`number of ${what}`, 1, 2);
    const toB = offer(run, {
      from: a,
      to: b,
      label: "h1_claimed_late_by_B",
      count: count("h1"),
      finalDelta: nth(delta, 0),
    });
    const toA = offer(run, {
      from: b,
      to: a,
      label: "h2_claimed_late_by_A",
      count: count("h2"),
      finalDelta: nth(delta, 1),
    });
    network.disconnect(link);
    a.forceClose();
    network.settle();
    network.mine(draw.int("blocks before A knows", 2, 4));
    for (const hash of toA) a.claim(hash);
    network.settle();
    network.mine(draw.int("blocks before B knows", 1, 4));
    for (const hash of toB) b.claim(hash);
    network.settle();
    finish(run);
  },
};
