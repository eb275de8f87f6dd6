/** Scenarios in which every process stays alive. */
import { until } from "../../harness/cluster/chain-facts.js";
import { closeTogether, type Scenario } from "./scenario.js";

export const paymentsBothWays: Scenario = {
  name: "payments both ways",
  async play(lane) {
    const channel = await lane.open("A", "B");
    for (let round = 1n; round <= 3n; round++) {
      await lane.settled(await lane.pay("A", [channel], { msat: 7_000_123n * round }));
      await lane.settled(await lane.pay("B", [channel], { msat: 5_000_456n * round }));
    }
    const together = await Promise.all([
      lane.pay("A", [channel], { msat: 11_000_000n }),
      lane.pay("A", [channel], { msat: 12_000_000n }),
      lane.pay("B", [channel], { msat: 13_000_000n }),
    ]);
    for (const payment of together) await lane.settled(payment);
    await closeTogether(lane, channel);
  },
};

export const failedPayment: Scenario = {
  name: "failed payment",
  async play(lane) {
    const channel = await lane.open("B", "A");
    const payment = await lane.pay("B", [channel], { msat: 21_000_000n, hold: true });
    await lane.arrived(payment);
    const match = { payment_hash: payment.hash };
    await lane.node("A").call("failBack", { paymentHash: payment.hash });
    await lane.log("B").until("PaymentFailed", match);
    await lane.quiet([channel]);
    await lane.once("B", "PaymentFailed", match);
    await lane.never("B", "PaymentSent", match);
    await lane.never("A", "PaymentClaimed", match);
    await closeTogether(lane, channel);
  },
};

export const cooperativeClose: Scenario = {
  name: "cooperative close",
  async play(lane) {
    const channel = await lane.open("B", "A", { pushMsat: 250_000_789n });
    await lane.settled(await lane.pay("A", [channel], { msat: 9_000_000n }));
    await closeTogether(lane, channel);
  },
};

/**
 * A closes with HTLCs of every fate: one it times out, one B takes with the preimage (A learns it there), one
 * A takes with the preimage. None expire together: LDK 0.1.0 could not tell them apart then.
 */
export const holderClose: Scenario = {
  name: "holder close with HTLCs",
  async play(lane) {
    const channel = await lane.open("B", "A", { pushMsat: 600_000_000n });
    const late = await lane.pay("A", [channel], { msat: 31_000_000n, hold: true, finalDelta: 40 });
    const taken = await lane.pay("A", [channel], { msat: 32_000_000n, hold: true, finalDelta: 70 });
    const ours = await lane.pay("B", [channel], { msat: 33_000_000n, hold: true, finalDelta: 100 });
    for (const payment of [late, taken, ours]) await lane.arrived(payment);
    await lane.pace.together("A and B lose each other", () => lane.world.disconnect("A", "B"));
    await lane.node("A").call("claim", { paymentHash: ours.hash });
    await lane.node("B").call("claim", { paymentHash: taken.hash });
    await lane.node("A").call("close", { channelId: channel.channelId, force: true });
    await lane.closed("A", channel, ["HolderForceClosed"]);
    await lane.mineUntil("the commitment", async () => lane.spent(channel), 1);
    await lane.closed("B", channel, ["CommitmentTxConfirmed", "CounterpartyForceClosed"]);
    await lane.pace.together("A and B meet again", () => lane.world.connect("A", "B"));
    await lane.mineUntil("B's payment is told to be claimed by A", () =>
      lane.told("B", "PaymentSent", ours),
    );
    await lane.mineUntil("A learns the preimage", () => lane.told("A", "PaymentSent", taken));
    await lane.mineUntil("A's refund", () => lane.told("A", "PaymentFailed", late));
    lane.moved(taken);
    lane.moved(ours);
    await lane.conserved(channel);
    await lane.once("A", "PaymentSent", { payment_hash: taken.hash });
    await lane.once("A", "PaymentFailed", { payment_hash: late.hash });
    await lane.once("B", "PaymentSent", { payment_hash: ours.hash });
    await lane.once("B", "PaymentClaimed", { payment_hash: taken.hash });
    await lane.once("A", "PaymentClaimed", { payment_hash: ours.hash });
  },
};

/**
 * A -> B -> C; C goes on chain with two HTLCs: it takes one with the preimage, which B learns from the chain
 * and claims from A; the other B times out and fails back to A. A-B stays open throughout.
 */
export const claimedUpstream: Scenario = {
  name: "preimage learned on chain, claimed upstream",
  async play(lane) {
    // LDK forwards along any channel to the next node: each lane has a next node of its own.
    const c = lane.type === "static_remote_key" ? "C" : "D";
    const ab = await lane.open("A", "B");
    const bc = await lane.open("B", c);
    const path = [ab, bc];
    await lane.settled(await lane.pay("A", path, { msat: 3_000_000n }));
    const taken = await lane.pay("A", path, { msat: 41_000_000n, hold: true, finalDelta: 70 });
    const late = await lane.pay("A", path, { msat: 42_000_000n, hold: true, finalDelta: 40 });
    for (const payment of [taken, late]) await lane.arrived(payment);
    await lane.pace.together(`B and ${c} lose each other`, () => lane.world.disconnect("B", c));
    await lane.node(c).call("claim", { paymentHash: taken.hash });
    await lane.node(c).call("close", { channelId: bc.channelId, force: true });
    await lane.closed(c, bc, ["HolderForceClosed"]);
    await lane.mineUntil("the commitment", async () => lane.spent(bc), 1);
    await lane.closed("B", bc, ["CommitmentTxConfirmed"]);
    await lane.pace.together(`B and ${c} meet again`, () => lane.world.connect("B", c));
    await lane.mineUntil("A has the proof", () => lane.told("A", "PaymentSent", taken), 2);
    await until("B is told it has forwarded", async () => {
      const forwards = await lane.log("B").find("PaymentForwarded", {
        prev_channel_id: ab.channelId,
        claim_from_onchain_tx: 1,
      });
      return forwards.length === 1;
    });
    await lane.mineUntil("A is told of the refund", () => lane.told("A", "PaymentFailed", late), 4);
    lane.moved(taken);
    await lane.quiet([ab]);
    await lane.once("A", "PaymentSent", { payment_hash: taken.hash });
    await lane.once("A", "PaymentFailed", { payment_hash: late.hash });
    await lane.once(c, "PaymentClaimed", { payment_hash: taken.hash });
    await lane.conserved(bc);
    await closeTogether(lane, ab);
    await lane.once("B", "PaymentForwarded", {
      prev_channel_id: ab.channelId,
      claim_from_onchain_tx: 1,
    });
  },
};

export const ALIVE: readonly Scenario[] = [
  paymentsBothWays,
  failedPayment,
  cooperativeClose,
  holderClose,
  claimedUpstream,
];
