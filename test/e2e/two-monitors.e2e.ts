/**
 * Goal: an update is durable only when every monitor has it, and one monitor alone is enough to punish.
 * Method: two monitor processes; one is killed in the middle of a payment, later the other with the
 * manager; the merged views must say who is behind and by how much.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import type {
  GetChannelResponse,
  ListMonitorsResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import { until } from "../harness/cluster/chain-facts.js";
import { Stage } from "../harness/cluster/stage.js";

describe("two monitors", () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({ channelType: "anchors_zero_fee_htlc", monitors: 2, zmq: true });
  });
  after(() => stage.close());

  const channelView = (): Promise<GetChannelResponse> => {
    const { client, channel } = stage.node;
    const request = { channelId: Buffer.from(fromHex(channel.channelId)) };
    return client.call((done) => client.rpc.getChannel(request, client.metadata, done));
  };

  it("completes an update only when both have it, and says who is behind", async () => {
    const { node, cluster } = stage;
    const [, b] = cluster.monitors;
    await node.fulfill(await node.offerPayment(10_000n));
    await must(b, "monitor-b").process.kill9();
    let completed = false;
    const payment = node.offerPayment(20_000n).then((offered) => {
      completed = true;
      return offered;
    });
    await until("monitor-a ahead of monitor-b", async () => {
      const { monitors } = await channelView();
      return monitors[0]?.behindBy === 0n && monitors[1]?.behindBy === 1n;
    });
    const { client } = node;
    const { monitors } = await client.call<ListMonitorsResponse>((done) =>
      client.rpc.listMonitors({}, client.metadata, done),
    );
    assert.deepEqual(
      monitors.map(({ name, lagUpdates, connected }) => ({ name, lagUpdates, connected })),
      [
        { name: "monitor-a", lagUpdates: 0n, connected: true },
        { name: "monitor-b", lagUpdates: 1n, connected: false },
      ],
    );
    assert.equal(completed, false, "the dance waits for monitor-b");
    await must(b, "monitor-b").process.start();
    await node.fulfill(await payment);
    const view = await channelView();
    assert.deepEqual(
      view.monitors.map(({ behindBy }) => behindBy),
      [0n, 0n],
    );
    assert.equal(view.durableId, node.lastUpdateId);
  });

  it("acks each monitor for one thing told once", async () => {
    const { cluster } = stage;
    const clients = cluster.monitors.map((monitor) => monitor.connect());
    await until("both payments told", () => {
      const sent = stage.userEvents().filter(({ $case }) => $case === "paymentSent");
      return sent.length === 2;
    });
    await stage.settle();
    await until("both monitors hold nothing", async () => {
      const held = await Promise.all(clients.map((client) => client.pendingEvents()));
      return held.every((events) => events.length === 0);
    });
    for (const client of clients) client.close();
  });

  it("punishes with the manager and the other monitor dead", async () => {
    const { node, cluster, bitcoind } = stage;
    const [a, b] = cluster.monitors;
    await cluster.manager.kill9();
    await must(a, "monitor-a").process.kill9();
    await stage.broadcast(broadcastableCommitment(node.channel, "counterparty", 1));
    await bitcoind.mine(1);
    const { built } = node.channel.commitment("counterparty", 1);
    const place = { txid: built.txid, vout: must(built.toLocalIndex, "to_local") };
    await stage.inMempool(place);
    await must(a, "monitor-a").process.start();
    stage.assertOurs(await stage.confirmed(place));
    await stage.mine(6);
    await cluster.manager.start();
    const client = cluster.connectNode(2n, node.cursor());
    await client.connect();
    node.client.close();
    node.useClient(client);
    await stage.told("channelClosed");
    await stage.settle();
    const other = must(b, "monitor-b").connect();
    await until("monitor-b acked too", async () => (await other.pendingEvents()).length === 0);
    other.close();
    const closed = stage.userEvents().filter(({ $case }) => $case === "channelClosed");
    assert.equal(closed.length, 1, "told once, though two monitors saw it");
  });
});
