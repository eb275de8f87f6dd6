import { finish, openPair, type Scenario } from "./scenario.js";

export const coopClose: Scenario = {
  name: "coop_close",
  doc: "payments both ways, keysend, one payment failed back; cooperative close",
  nodes: ["A", "B"],
  play: (run) => {
    const { a, b } = openPair(run);
    (run.draw.coin("A closes") ? a : b).cooperativeClose();
    run.network.settle();
    run.network.mine();
    finish(run);
  },
};
