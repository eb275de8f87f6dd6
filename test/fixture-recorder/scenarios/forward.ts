import { pay } from "../node/payments.js";
import { expiries, finish, nth, type Scenario } from "./scenario.js";

export const forward3Node: Scenario = {
  name: "forward_3node",
  doc: "A->B->C: forwards settle off chain; then B-C goes on chain (C force closes): f2 claimed by C's HTLC-success (B learns the preimage on chain, claims from A), f3 timed out by B (B fails back to A)",
  nodes: ["A", "B", "C"],
  play: (run) => {
    const { draw, network } = run;
    const [a, b, c] = [run.node("A"), run.node("B"), run.node("C")];
    network.connect(a, b);
    const link = network.connect(b, c);
    run.openChannel(a, b);
    run.openChannel(b, c);
    const delta = expiries(run, 3);
    const forward = (label: string, which: number, most: number): string[] => {
      const count = draw.int(`number of ${label}`, 1, most);
      return Array.from({ length: count }, (_, index) => {
        const name = count === 1 ? label : `${label}_${index + 1}`;
        const hash = pay(a, c, {
          amountMsat: run.htlcMsat(name),
          finalDelta: nth(delta, which),
          forwardDelta: b.plan.cltvExpiryDelta,
        });
        network.settle();
        run.htlcs[name] = hash;
        return hash;
      });
    };
    forward("f1_off_chain", 0, 3);
    c.autoClaim = false;
    const known = forward("f2_claimed_on_chain_by_C", 1, 2);
    forward("f3_timed_out_by_B", 2, 2);
    network.disconnect(link);
    for (const hash of known) c.claim(hash);
    c.forceClose();
    network.settle();
    network.mine();
    finish(run, ["ClaimableOnChannelClose"]);
  },
};
