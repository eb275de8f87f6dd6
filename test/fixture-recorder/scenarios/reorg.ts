import { must } from "@farwatch/protocol/assert";
import { DetachedMonitor } from "../detached-monitor.js";
import { expiries, finish, nth, offer, openPair, type Scenario } from "./scenario.js";

export const reorg: Scenario = {
  name: "reorg",
  doc: "A's commitment confirms (2 or 3 blocks deep), is reorged out by a longer chain in which B's commitment confirms instead",
  nodes: ["A", "B"],
  play: (run) => {
    const { a, b, link } = openPair(run);
    const { draw, network } = run;
    const delta = expiries(run, 2);
    const count = (what: string) => draw.int(`number of ${what}`, 1, 2);
    const returned = { label: "h1_timeout_by_A", count: count("h1"), finalDelta: nth(delta, 0) };
    const claimed = { label: "h2_claimed_by_A", count: count("h2"), finalDelta: nth(delta, 1) };
    offer(run, { from: a, to: b, ...returned });
    const toA = offer(run, { from: b, to: a, ...claimed });
    network.disconnect(link);
    for (const hash of toA) a.claim(hash);
    a.forceClose();
    network.settle();
    const depth = draw.int("depth of the reorg", 2, 3);
    network.mine(depth);
    network.note(`reorg of ${depth} blocks`);
    const { raw } = new DetachedMonitor(b, must(b.recorder.snapshots.at(-1), "B's")).commitment();
    run.meta = { reorged_blocks: network.disconnectBlocks(depth).reverse() };
    network.mineExactly([raw]);
    for (let block = 0; block < depth; block++) network.mineExactly([]);
    finish(run);
  },
};
