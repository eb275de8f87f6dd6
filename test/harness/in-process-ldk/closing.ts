/** A channel that closes on chain with HTLCs in it. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { mine, settle } from "./settle.js";
import { openedChannel, type Stage } from "./stage.js";

const AMOUNT_MSAT = 50_000_000n;

export function forceClose({ a, pair }: Stage): void {
  const [channel] = a.node.manager.list_channels();
  const closed = a.node.manager.force_close_broadcasting_latest_txn(
    must(channel, "a channel").get_channel_id(),
    pair.b.id,
    "test",
  );
  assert.ok(closed.is_ok());
}

/**
 * A closes with h1 that nobody claims, h2 that B claims on chain, and h3 that A claims. Ends when all is over
 * and A's outputs are mature.
 */
export async function closedWithHtlcs(anchors: boolean) {
  const made = await openedChannel({ anchors, monitored: true });
  const { a, pair, chain } = made;
  pair.b.autoClaim = false;
  a.node.autoClaim = false;
  const pay = async (from: typeof pair.b, to: typeof pair.b): Promise<string> => {
    const hash = pair.pay(from, to, AMOUNT_MSAT);
    await settle(pair, a);
    return hash;
  };
  const h1 = await pay(a.node, pair.b);
  await mine(pair, a, 2); // another expiry: LDK 0.1 joins claims of one expiry and gives both up
  const h2 = await pay(a.node, pair.b);
  const h3 = await pay(pair.b, a.node);
  pair.disconnect();
  pair.b.claim(h2);
  a.node.claim(h3);
  await settle(pair, a);
  forceClose(made);
  await settle(pair, a);
  return { ...made, chain, h1, h2, h3, remote: must(made.remote, "a remote monitor") };
}

/**
 * B closes with h2, which it claims on chain, while A sees no block. The monitor behind A's manager-service
 * does.
 */
export async function closesAlone() {
  const made = await openedChannel({ monitored: true });
  const { a, pair, chain } = made;
  pair.b.autoClaim = false;
  const h2 = pair.pay(a.node, pair.b, AMOUNT_MSAT);
  await settle(pair, a);
  pair.disconnect();
  pair.b.claim(h2);
  const [channel] = pair.b.manager.list_channels();
  const id = must(channel, "a channel").get_channel_id();
  pair.b.manager.force_close_broadcasting_latest_txn(id, a.node.id, "test");
  pair.exchange();
  const remote = must(made.remote, "a remote monitor");
  for (let nth = 0; nth < 3; nth++) {
    const block = chain.mine();
    pair.b.connectBlock(block);
    remote.connectBlock(block);
    pair.b.processEvents();
  }
  await settle(pair, a);
  return { ...made, h2, remote };
}
