/** Scenarios in which processes die. Each is played alone, with both channel types side by side. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { must } from "@farwatch/protocol/assert";
import { until } from "../../harness/cluster/chain-facts.js";
import type { Channel, Lane } from "../../harness/ldk-node/lane.js";
import type { MonitorHandle } from "../../harness/cluster/cluster.js";
import { resolved, returns, sendAgainIfForgotten, sendOrDie } from "./after-a-death.js";
import { closeTogether, type Scenario } from "./scenario.js";

const monitorOf = (lane: Lane, name: string, index = 0): MonitorHandle =>
  must(lane.world.services(name).monitors[index], `monitor ${index} of ${name}`);

/** B's old commitment, with an HTLC in it, that B revokes afterwards. */
async function oldCommitment(lane: Lane, channel: Channel) {
  await lane.settled(await lane.pay("B", [channel], { msat: 17_000_000n }));
  const held = await lane.pay("A", [channel], { msat: 51_000_000n, hold: true });
  await lane.arrived(held);
  const { channelId } = channel;
  const old = await lane.node("B").call("commitment", { channelId, updateId: "latest" });
  await lane.node("B").call("claim", { paymentHash: held.hash });
  await lane.settled(held);
  await lane.settled(await lane.pay("A", [channel], { msat: 18_000_000n }));
  return old;
}

export const punishedWhileDead: Scenario = {
  name: "revoked commitment punished, LDK dead",
  async play(lane) {
    const channel = await lane.open("A", "B");
    const old = await oldCommitment(lane, channel);
    await lane.pace.together("A dies", () => lane.node("A").kill9());
    await lane.world.bitcoind.rpc("sendrawtransaction", [old.raw]);
    await lane.pace.mine(1);
    await lane.mineUntil("nothing of the cheater's is left", () => punished(lane, old.txid), 1);
    assert.equal(lane.node("A").isRunning, false);
    await returns(lane, "A", ["B"]);
    await lane.closed("A", channel, ["CommitmentTxConfirmed"]);
    channel.owes.set("A", channel.valueSat * 1_000n);
    channel.owes.set("B", 0n);
    await lane.conserved(channel, { payer: "A" });
    const swept = await lane.log("A").find("SpendableOutputs");
    assert.ok(swept.length > 0, "A is told of outputs that are its own");
  },
};

/** Every output of the commitment but the anchors is spent. */
async function punished(lane: Lane, txid: string): Promise<boolean> {
  const { index } = lane.world;
  await index.update();
  const outputs = must(index.transaction(txid), "the revoked commitment").vout;
  const left = outputs.filter(({ n, value }) => {
    return value > ANCHOR_BTC && index.spenderOf(`${txid}:${n}`) === undefined;
  });
  // What was A's own in it is nobody's to punish: A sweeps it when it is back.
  return left.length <= 1;
}
const ANCHOR_BTC = 0.000_003_3;

export const killedInFlight: Scenario = {
  name: "LDK killed with updates in flight",
  async play(lane) {
    const channel = await lane.open("A", "B");
    const monitor = monitorOf(lane, "A").process;
    for (const [from, msat] of [
      ["A", 22_000_000n],
      ["B", 23_000_000n],
    ] as const) {
      await lane.pace.together("the monitor hangs", async () => {
        process.kill(monitor.pid, "SIGSTOP");
        return Promise.resolve();
      });
      const payment = await lane.pay(from, [channel], { msat });
      await until(
        "an update of A is in flight",
        async () => !(await lane.node("A").state()).isQuiet,
      );
      await lane.pace.together("A dies", () => lane.node("A").kill9());
      await lane.pace.together("the monitor goes on", async () => {
        process.kill(monitor.pid, "SIGCONT");
        return Promise.resolve();
      });
      await returns(lane, "A", ["B"]);
      await sendAgainIfForgotten(lane, payment);
      await lane.settled(payment);
    }
    await closeTogether(lane, channel);
  },
};

/** Points of a monitor's life at which it is killed: durable but not told, and told in part. */
const MONITOR_POINTS = ["afterDecide", "afterCommit", "beforeReply"] as const;

export const monitorKilled: Scenario = {
  name: "monitor-service killed mid-update",
  async play(lane) {
    const channel = await lane.open("A", "B");
    for (const point of MONITOR_POINTS) {
      await lane.pace.together("the monitor is to die", async () => {
        lane.world.killSwitch("A").arm(point);
        return Promise.resolve();
      });
      const payments = [
        await lane.pay("A", [channel], { msat: 6_000_000n }),
        await lane.pay("B", [channel], { msat: 8_000_000n }),
      ];
      await lane.pace.together("the monitor returns", async () => {
        const { process } = monitorOf(lane, "A");
        await process.exited();
        assert.ok(lane.world.killSwitch("A").fired);
        await process.start();
      });
      for (const payment of payments) await lane.settled(payment);
    }
    await closeTogether(lane, channel);
  },
};

/** Far enough into a payment that updates are on their way, well before its end. */
const KILL_POINT_IN_PAYMENT = 14;

export const bothKilled: Scenario = {
  name: "LDK and its services killed together",
  async play(lane) {
    const channel = await lane.open("A", "B");
    const payments = [
      await lane.invoice("A", [channel], { msat: 24_000_000n }),
      await lane.invoice("B", [channel], { msat: 25_000_000n }),
    ];
    await lane.pace.together("A is to die", async () => {
      await lane.node("A").call("killAfter", { points: KILL_POINT_IN_PAYMENT });
    });
    for (const payment of payments) await sendOrDie(lane, payment);
    await lane.pace.together("everything of A dies and returns", async () => {
      const { manager, monitors } = lane.world.services("A");
      await lane.node("A").exited();
      await Promise.all([manager.kill9(), ...monitors.map(({ process }) => process.kill9())]);
      await Promise.all(monitors.map(({ process }) => process.start()));
      await manager.start();
    });
    await returns(lane, "A", ["B"]);
    for (const payment of payments) {
      await sendAgainIfForgotten(lane, payment);
      await resolved(lane, payment);
    }
    for (const from of ["A", "B"]) {
      await lane.settled(await lane.pay(from, [channel], { msat: 3_000_000n }));
    }
    await closeTogether(lane, channel);
  },
};

/**
 * D has two monitors and loses one with its disk. Nothing is durable any more, so the channel stands still;
 * but what D knows reaches the other, which closes and takes the HTLC on chain. B is told the preimage there.
 * Played last: afterwards D cannot open a channel.
 */
export const monitorLost: Scenario = {
  name: "one of two monitors lost for good",
  async play(lane) {
    const channel = await lane.open("B", "D");
    await lane.settled(await lane.pay("B", [channel], { msat: 9_000_000n }));
    const held = await lane.pay("B", [channel], { msat: 61_000_000n, hold: true, finalDelta: 60 });
    await lane.arrived(held);
    await lane.pace.together("a monitor is lost", async () => {
      const lost = monitorOf(lane, "D", 1);
      await lost.process.kill9();
      fs.rmSync(lost.dataFolder, { recursive: true });
    });
    await lane.node("D").call("claim", { paymentHash: held.hash });
    await lane.pace.together("B and D lose each other", () => lane.world.disconnect("B", "D"));
    await lane.node("D").call("close", { channelId: channel.channelId, force: true });
    await lane.closed("D", channel, ["HolderForceClosed"]);
    await lane.mineUntil("the commitment", async () => lane.spent(channel), 1);
    await lane.closed("B", channel, ["CommitmentTxConfirmed"]);
    await lane.mineUntil("B has the proof", () => lane.told("B", "PaymentSent", held), 2);
    lane.moved(held);
    await lane.conserved(channel);
    await lane.once("B", "PaymentSent", { payment_hash: held.hash });
    await lane.never("B", "PaymentFailed", { payment_hash: held.hash });
  },
};

export const DEATHS: readonly Scenario[] = [
  punishedWhileDead,
  killedInFlight,
  monitorKilled,
  bothKilled,
];
