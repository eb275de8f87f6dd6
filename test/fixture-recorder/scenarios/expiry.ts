/** Nobody closes: a monitor goes on chain by itself, because an HTLC's expiry leaves it no choice. */
import { expiries, finish, nth, offer, openPair, type Scenario } from "./scenario.js";

/** More than the longest expiry and LDK's grace periods. */
const MOST_BLOCKS_TO_CLOSE = 130;

export const expiryOutbound: Scenario = {
  name: "expiry_outbound",
  doc: "nobody force closes: A's monitor itself broadcasts when its outbound HTLC is past expiry (HolderForceClosedWithInfo HTLCsTimedOut)",
  nodes: ["A", "B"],
  play: (run) => {
    const { a, b, link } = openPair(run);
    const delta = [...expiries(run, 2)].sort((x, y) => x - y);
    const count = run.draw.int("number of h1", 1, 2);
    const some = { from: a, to: b, count };
    offer(run, { ...some, label: "h1_expires", finalDelta: nth(delta, 0) });
    if (run.draw.coin("an HTLC that expires later")) {
      offer(run, { ...some, count: 1, label: "h2_expires_later", finalDelta: nth(delta, 1) });
    }
    run.network.disconnect(link);
    closeByItself(run);
    finish(run);
  },
};

export const expiryInbound: Scenario = {
  name: "expiry_inbound",
  doc: "B knows the preimage but A is offline: B's monitor goes on chain by itself before the inbound HTLC expires",
  nodes: ["A", "B"],
  play: (run) => {
    const { a, b, link } = openPair(run);
    const count = run.draw.int("number of h1", 1, 2);
    const finalDelta = nth(expiries(run, 1), 0);
    const hashes = offer(run, { from: a, to: b, label: "h1_claimed_by_B", count, finalDelta });
    run.network.disconnect(link);
    for (const hash of hashes) b.claim(hash);
    run.network.settle();
    closeByItself(run);
    finish(run);
  },
};

function closeByItself(run: Parameters<Scenario["play"]>[0]): void {
  const { nodes } = run.network;
  const closed = () => nodes.every((node) => node.manager.list_channels().length === 0);
  run.network.mineUntil(closed, MOST_BLOCKS_TO_CLOSE);
}
