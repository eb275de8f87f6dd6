import { expiries, finish, nth, offer, openPair, type Scenario } from "./scenario.js";

/**
 * HTLCs that are timed out and HTLCs that are claimed never share an expiry: LDK 0.1.0 would join their
 * timeout claims and never claim the first kind once one of the second is spent.
 */
export const holderForceClose: Scenario = {
  name: "holder_force_close",
  doc: "A force closes: h1 A->B timed out by A; h2 A->B claimed on chain by B (preimage, counterparty commitment); h3 B->A claimed by A (HTLC-success); h4 B->A timed out by B; h5 A->B and h6 B->A dust",
  nodes: ["A", "B"],
  play: (run) => {
    const { a, b, link } = openPair(run);
    const { draw, network } = run;
    const delta = expiries(run, 4);
    const some = (what: string, low: number) => draw.int(`number of ${what}`, low, 2);
    const there = { from: a, to: b };
    const back = { from: b, to: a };
    const timedOut = { label: "h1_timeout_by_A", count: some("h1", 1), finalDelta: nth(delta, 0) };
    const claimed = {
      label: "h2_claimed_on_chain_by_B",
      count: some("h2", 1),
      finalDelta: nth(delta, 1),
    };
    const success = { label: "h3_success_by_A", count: some("h3", 1), finalDelta: nth(delta, 2) };
    const returned = { label: "h4_timeout_by_B", count: some("h4", 1), finalDelta: nth(delta, 3) };
    const dust = { count: some("dust", 0), dust: true };
    offer(run, { ...there, ...timedOut });
    const knownToB = offer(run, { ...there, ...claimed });
    const knownToA = offer(run, { ...back, ...success });
    offer(run, { ...back, ...returned });
    offer(run, { ...there, ...dust, label: "h5_dust", finalDelta: nth(delta, 0) });
    offer(run, { ...back, ...dust, label: "h6_dust_from_B", finalDelta: nth(delta, 3) });
    network.disconnect(link);
    for (const hash of knownToA) a.claim(hash);
    for (const hash of knownToB) b.claim(hash);
    a.forceClose();
    network.settle();
    network.mine();
    finish(run);
  },
};
