/**
 * Goal: a process killed between "durable" and "told" loses nothing and repeats nothing harmful.
 * Method: entry points with failpoints kill the real process with SIGKILL at a named point; it is
 * restarted, and the payment that was under way must end as if nothing had happened.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { must } from "@farwatch/protocol/assert";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { until } from "../harness/cluster/chain-facts.js";
import { KillSwitch } from "../harness/cluster/failpoint.js";
import { Stage } from "../harness/cluster/stage.js";

const script = (name: string): string =>
  path.resolve(import.meta.dirname, `../harness/cluster/failing-${name}.js`);

describe("kill -9 between durable and told", () => {
  let bitcoind: Regtest;
  let folder: string;
  before(async () => {
    bitcoind = await startRegtest();
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-kill-"));
  });
  after(async () => {
    await bitcoind.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  async function withStage(run: (stage: Stage, kill: KillSwitch) => Promise<void>): Promise<void> {
    const kill = new KillSwitch(folder);
    const stage = await Stage.open({
      channelType: "static_remote_key",
      bitcoind,
      monitorScript: script("monitor"),
      managerScript: script("manager"),
      env: kill.env,
    });
    try {
      await run(stage, kill);
    } finally {
      await stage.close();
    }
  }

  async function restartManager(stage: Stage, nodeEpoch: bigint): Promise<void> {
    const { cluster, node } = stage;
    await cluster.manager.exited();
    await cluster.manager.start();
    const client = cluster.connectNode(nodeEpoch, node.cursor());
    await client.connect();
    node.client.close();
    node.useClient(client);
  }

  const sentItems = (stage: Stage) =>
    stage.node.client.items.filter(
      ({ item }) => item?.$case === "userEvent" && item.value.event?.$case === "paymentSent",
    );

  for (const point of ["afterCommit", "beforeReply"]) {
    it(`monitor: an update durable but not answered (${point}) is answered after the restart`, () =>
      withStage(async (stage, kill) => {
        const { node, cluster } = stage;
        await node.fulfill(await node.offerPayment(10_000n));
        const { process } = must(cluster.monitors[0], "monitor");
        kill.arm(point);
        const payment = node.offerPayment(20_000n);
        await process.exited();
        assert.ok(kill.fired);
        await process.start();
        await node.fulfill(await payment);
        const { latestUpdateId } = await stage.monitor.channel(node.channel.channelId);
        assert.equal(latestUpdateId, node.lastUpdateId);
        await until("both payments told", () => sentItems(stage).length === 2);
        await stage.settle();
      }));
  }

  it("manager: an update accepted but not told is completed after the restart", () =>
    withStage(async (stage, kill) => {
      const { node } = stage;
      kill.arm("afterCommit:updateOffered");
      const payment = node.offerPayment(20_000n);
      await restartManager(stage, 2n);
      await node.fulfill(await payment);
      const { latestUpdateId } = await stage.monitor.channel(node.channel.channelId);
      assert.equal(latestUpdateId, node.lastUpdateId);
      await until("the payment told", () => sentItems(stage).length === 1);
      await stage.settle();
    }));

  it("manager: a receipt stored but not told is told after the restart", () =>
    withStage(async (stage, kill) => {
      const { node } = stage;
      kill.arm("afterCommit:receiptsStored");
      const payment = node.offerPayment(20_000n);
      await restartManager(stage, 2n);
      await node.fulfill(await payment);
      await stage.settle();
    }));

  it("manager: an event recorded but not acked is told once and acked after the restart", () =>
    withStage(async (stage, kill) => {
      const { node } = stage;
      const payment = await node.offerPayment(20_000n);
      kill.arm("afterCommit:monitorEvent");
      const fulfilled = node.fulfill(payment);
      await restartManager(stage, 2n);
      await fulfilled;
      await until("the payment told", () => sentItems(stage).length === 1);
      await stage.settle();
      assert.equal(sentItems(stage).length, 1);
    }));

  it("manager: an ack intended but not sent is sent after the restart, and nothing is told again", () =>
    withStage(async (stage, kill) => {
      const { node } = stage;
      await node.fulfill(await node.offerPayment(20_000n));
      await until("the payment told", () => sentItems(stage).length === 1);
      assert.ok((await stage.monitor.pendingEvents()).length > 0, "held until acked");
      kill.arm("afterCommit:itemsDone");
      const handled = node.client.done(node.client.items.map(({ itemId }) => itemId));
      await Promise.allSettled([handled]);
      await restartManager(stage, 2n);
      await until(
        "the stored ack reaches the monitor",
        async () => (await stage.monitor.pendingEvents()).length === 0,
      );
      await until("the replay is over", () => node.client.replayDone);
      assert.equal(sentItems(stage).length, 0, "handled events are not told again");
    }));
});
