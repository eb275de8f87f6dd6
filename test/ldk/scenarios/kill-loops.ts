/**
 * An LDK process is killed with SIGKILL again and again, at counted points of its life: a message handled, an
 * event answered, a save begun, half written, complete, released (harness/ldk-node/kill-points.ts). Each time
 * it comes back from its one file, and what was under way must end as if nothing had happened. Some points
 * here, every one with FARWATCH_LDK_ALL_POINTS=1 (nightly).
 */
import assert from "node:assert/strict";
import { until } from "../../harness/cluster/chain-facts.js";
import type { Channel, Lane, Payment } from "../../harness/ldk-node/lane.js";
import { NodeDied } from "../../harness/ldk-node/ldk-process.js";
import type { ChannelView } from "../../harness/ldk-node/protocol.js";
import { FUNDING_DEPTH } from "../../harness/ldk-node/world.js";
import { resolved, returns, sendAgainIfForgotten, sendOrDie } from "./after-a-death.js";
import { closeTogether, type Scenario } from "./scenario.js";

export const everyPoint = process.env["FARWATCH_LDK_ALL_POINTS"] === "1";
/** More than a payment of each lane passes. */
const LAST_POINT = 90;

const pointsOf = (some: readonly number[]): readonly number[] =>
  everyPoint ? Array.from({ length: LAST_POINT }, (_, index) => index + 1) : some;

interface Loop {
  readonly victim: string;
  /** Who the victim talks to. */
  readonly peers: readonly string[];
  readonly from: string;
  readonly via: readonly Channel[];
  readonly points: readonly number[];
}

/** How many payments were settled; the others failed back. */
async function payThroughKills(lane: Lane, loop: Loop): Promise<number> {
  const { victim, peers, from, via, points } = loop;
  let settled = 0;
  for (const [nth, point] of points.entries()) {
    const payment = await lane.invoice(from, via, { msat: 2_000_000n + BigInt(nth) * 1_000n });
    await lane.pace.together(`${victim} is to die`, async () => {
      await lane.node(victim).call("killAfter", { points: point });
    });
    await sendOrDie(lane, payment);
    await overOrDead(lane, payment, victim);
    await returns(lane, victim, peers);
    for (const { funding, opener, acceptor } of via) {
      await lane.untilUsable(funding, opener, acceptor);
    }
    await sendAgainIfForgotten(lane, payment);
    if (await resolved(lane, payment)) settled++;
  }
  return settled;
}

/** Not longer than a payment takes on a busy machine: a death that does not come is made up for later. */
const OVER_WITHIN_MS = 20_000;

async function overOrDead(lane: Lane, payment: Payment, victim: string): Promise<void> {
  await until(
    `the payment is over or ${victim} dead`,
    async () => {
      if (!lane.node(victim).isRunning) return true;
      if (await lane.told(payment.from, "PaymentFailed", payment)) return true;
      return lane.told(payment.from, "PaymentSent", payment);
    },
    OVER_WITHIN_MS,
  ).catch((error: unknown) => {
    // Another lane waits with a dead neighbour: its payment goes on when that is back.
    if (lane.node(victim).isRunning) throw error;
  });
}

const SOME_OF_A_PAYMENT = [2, 9, 17, 29] as const;

export const sendingLoop: Scenario = {
  name: "kill loop: sending",
  async play(lane) {
    const channel = await lane.open("A", "B");
    const points = pointsOf(SOME_OF_A_PAYMENT);
    const loop = { victim: "A", peers: ["B"], from: "A", via: [channel], points };
    assert.ok((await payThroughKills(lane, loop)) > 0);
    await closeTogether(lane, channel);
  },
};

export const receivingLoop: Scenario = {
  name: "kill loop: receiving",
  async play(lane) {
    const channel = await lane.open("B", "A");
    const points = pointsOf(SOME_OF_A_PAYMENT);
    const loop = { victim: "A", peers: ["B"], from: "B", via: [channel], points };
    assert.ok((await payThroughKills(lane, loop)) > 0);
    await closeTogether(lane, channel);
  },
};

export const forwardingLoop: Scenario = {
  name: "kill loop: forwarding",
  async play(lane) {
    const c = lane.type === "static_remote_key" ? "C" : "D";
    const ab = await lane.open("A", "B");
    const bc = await lane.open("B", c);
    const points = pointsOf([5, 18, 33, 50]);
    const loop = { victim: "B", peers: ["A", "C", "D"], from: "A", via: [ab, bc], points };
    const settled = await payThroughKills(lane, loop);
    const forwards = await lane
      .log("B")
      .find("PaymentForwarded", { prev_channel_id: ab.channelId });
    assert.equal(forwards.length, settled, "each forward is told once");
    await closeTogether(lane, bc);
    await closeTogether(lane, ab);
  },
};

const PUSH_MSAT = 300_000_000n;

/** A channel whose opening is cut short is gone on both sides, or it is funded and works. */
async function openThroughKills(lane: Lane, victim: "A" | "B", points: readonly number[]) {
  const anchors = lane.type === "anchors_zero_fee_htlc";
  for (const point of points) {
    const userId = lane.book.nextUserId++;
    await lane.pace.together(`${victim} is to die`, async () => {
      await lane.node(victim).call("killAfter", { points: point });
    });
    const nodeId = lane.node("B").nodeId;
    const ask = { nodeId, valueSat: 500_000n, pushMsat: PUSH_MSAT, anchors, userId };
    await lane
      .node("A")
      .call("open", ask)
      .catch((error: unknown) => {
        if (!(error instanceof NodeDied)) throw error;
      });
    const view = () => viewOf(lane, userId);
    await until(`${victim} is dead, or the funding transaction is out`, async () => {
      if (!lane.node(victim).isRunning) return true;
      const [txid] = ((await view())?.funding ?? "").split(":");
      return txid !== undefined && (await lane.world.bitcoind.mempool()).includes(txid);
    }).catch((error: unknown) => {
      if (lane.node(victim).isRunning && lane.node("A").isRunning) throw error;
    });
    await returns(lane, victim, [victim === "A" ? "B" : "A"]);
    let found = await view();
    await until("the channel is gone, or its funding transaction is out", async () => {
      found = await view();
      return found === undefined || (await isPublished(lane, found.funding));
    });
    if (found?.funding === undefined) continue;
    await lane.pace.mine(FUNDING_DEPTH);
    await lane.untilUsable(found.funding, "A", "B");
    const usable = await view();
    assert.ok(usable !== undefined);
    const channel = lane.adopt(usable, { opener: "A", acceptor: "B", pushMsat: PUSH_MSAT });
    await lane.settled(await lane.pay("A", [channel], { msat: 1_000_000n }));
    await closeTogether(lane, channel);
  }
}

/** As A has it; undefined too while A is dead. */
async function viewOf(lane: Lane, userId: bigint): Promise<ChannelView | undefined> {
  try {
    return (await lane.node("A").state()).channels.find((one) => one.userId === userId);
  } catch (error) {
    if (error instanceof NodeDied) return undefined;
    throw error;
  }
}

async function isPublished(lane: Lane, funding: string | undefined): Promise<boolean> {
  const txid = funding?.split(":")[0] ?? "";
  await lane.world.index.update();
  if (lane.world.index.transaction(txid) !== undefined) return true;
  return (await lane.world.bitcoind.mempool()).includes(txid);
}

export const openingLoop: Scenario = {
  name: "kill loop: opening",
  async play(lane) {
    await openThroughKills(lane, "A", pointsOf([6, 16]));
    await openThroughKills(lane, "B", pointsOf([5, 14]));
  },
};

export const KILL_LOOPS: readonly Scenario[] = [
  sendingLoop,
  receivingLoop,
  forwardingLoop,
  openingLoop,
];
