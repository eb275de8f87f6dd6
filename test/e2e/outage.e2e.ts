/**
 * Goal: a bitcoind that is away stops only the chain. Method: it is halted under a running service;
 * payments go on, health says so for the chain alone, and what was missed is read when it is back.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import { until } from "../harness/cluster/chain-facts.js";
import { healthOf } from "../harness/cluster/health.js";
import { Stage } from "../harness/cluster/stage.js";

describe("bitcoind away", () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({ channelType: "anchors_zero_fee_htlc", zmq: true });
  });
  after(() => stage.close());

  const serving = async (service: string): Promise<boolean> =>
    (await healthOf(must(stage.cluster.monitors[0], "monitor"), service)) === "SERVING";

  it("takes updates meanwhile, tells health apart, and catches up with a breach", async () => {
    const { bitcoind, node } = stage;
    const old = node.channel.commitment("counterparty").number;
    await node.fulfill(await node.offerPayment(10_000n));
    assert.ok(await serving("farwatch.chain"));
    await bitcoind.halt();
    await until("the chain reported away", async () => !(await serving("farwatch.chain")));
    assert.ok(await serving("farwatch.monitor.v1.MonitorService"), "the service goes on");
    assert.ok(await serving(""));
    await node.fulfill(await node.offerPayment(12_000n));
    const { latestUpdateId } = await stage.monitor.channel(node.channel.channelId);
    assert.equal(latestUpdateId, node.lastUpdateId);
    await bitcoind.start();
    const raw = broadcastableCommitment(node.channel, "counterparty", old);
    await stage.broadcast(raw);
    await bitcoind.mine(1);
    await until("the chain reported back", () => serving("farwatch.chain"));
    await stage.synced();
    const { built } = node.channel.commitment("counterparty", old);
    const vout = must(built.toLocalIndex, "to_local");
    stage.assertOurs(await stage.confirmed({ txid: built.txid, vout }));
    await stage.mine(6);
    await stage.settle();
  });
});
