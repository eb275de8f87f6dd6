/**
 * Goal: the routing node and the manager agree on every kind of HTLC. Method: real processes, two
 * monitors, four channels; each test ends with every event of both monitors acked.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { msat, sat, type Msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { onionFailure } from "../harness/channel/proposals.js";
import { until } from "../harness/cluster/chain-facts.js";
import { createCluster, type Cluster } from "../harness/cluster/cluster.js";
import { regtestFunder } from "../harness/cluster/funding.js";
import type { MonitorClient } from "../harness/cluster/monitor-client.js";
import type { NodeClient } from "../harness/cluster/node-client.js";
import type { Link, OnLink } from "../harness/routing/link.js";
import { UpdateRefused } from "../harness/routing/manager-connection.js";
import { forgetful, type NodeMemory } from "../harness/routing/memory.js";
import { plainPolicy, type EventOf, type TellingEvent } from "../harness/routing/policy.js";
import { RoutingNode, type Received } from "../harness/routing/routing-node.js";

const AMOUNT = msat(50_000_000);
const HALF = msat(25_000_000);

describe("routing node against real services", () => {
  let bitcoind: Regtest;
  let cluster: Cluster;
  let node: RoutingNode<NodeClient>;
  let monitors: readonly MonitorClient[] = [];
  let epoch = 1n;
  /** User events told before the test that runs. */
  let earlier: readonly TellingEvent[] = [];

  const link = (name: string): Link => must(node.links.get(name), name);
  const fresh = <C extends TellingEvent["$case"]>(kind: C): readonly EventOf<C>[] => {
    const known = earlier.filter(({ $case }) => $case === kind).length;
    return node.eventsOf(kind).slice(known);
  };
  const kinds = (): readonly string[] =>
    node.told.slice(earlier.length).map(({ event }) => event.$case);

  /** The node obeys, its user answers, every dance goes on, until the condition holds. */
  const drive = (what: string, condition: () => boolean | Promise<boolean>): Promise<void> =>
    until(what, async () => {
      await node.handleItems();
      await node.settle();
      return condition();
    });
  /** Everything on its way has arrived: so many user events, and no event left. */
  const resolved = (events: number): Promise<void> =>
    drive(`${events} user events, every event acked`, async () => {
      const pending = await Promise.all(monitors.map((monitor) => monitor.pendingEvents()));
      return kinds().length >= events && pending.every((held) => held.length === 0);
    });
  const receive = (name: string, amount: Msat = AMOUNT, given: Partial<Received> = {}) =>
    node.receive(link(name), amount, given);
  const fulfil = ({ link: on, htlc }: OnLink, { secret }: Pick<Received, "secret">) =>
    on.channel.fulfillHtlc(htlc, secret.preimage);
  const answers = ({ link: on, htlc }: OnLink): readonly string[] =>
    on.sent.filter(({ htlcId }) => htlcId === htlc.id).map(({ kind }) => kind);

  const restart = async (memory: NodeMemory): Promise<void> => {
    node.connection.close();
    epoch += 1n;
    await node.restart(async (channels) => {
      const connection = cluster.connectNode(epoch, [...channels]);
      await connection.connect();
      return connection;
    }, memory);
  };

  before(async () => {
    bitcoind = await startRegtest({ zmq: true });
    await bitcoind.mine(101);
    const seed = Uint8Array.from(randomBytes(32));
    cluster = await createCluster({ bitcoind, seed, monitors: 2 });
    await cluster.startAll();
    const connection = cluster.connectNode(epoch);
    await connection.connect();
    const funder = regtestFunder(bitcoind);
    node = new RoutingNode({ connection, funder, height: () => bitcoind.height() });
    const { curve } = await selectCurve("auto");
    for (const name of ["A-B", "A2-B", "B-C", "B-D"]) {
      await node.openChannel(name, {
        channelType: "static_remote_key",
        capacitySat: sat(1_000_000),
        pushMsat: msat(450_000_000),
        curve,
        holder: { seed },
      });
    }
    monitors = cluster.monitors.map((monitor) => monitor.connect());
  });
  after(async () => {
    node.connection.close();
    for (const monitor of monitors) monitor.close();
    await cluster.stop();
    await bitcoind.stop();
  });
  beforeEach(() => {
    earlier = node.told.map(({ event }) => event);
    node.policy = plainPolicy;
  });

  it("tells what was skimmed of an intercepted forward, claimed by the fast path", async () => {
    const inbound = await receive("A-B");
    const skimmedFeeMsat = msat(20);
    const leg = await node.forward(inbound, link("B-C"), { intercepted: true, skimmedFeeMsat });
    await fulfil(leg, inbound);
    await node.fastPath(leg, inbound.secret);
    await until("ClaimInbound before any commitment", async () => {
      await node.handleItems();
      return answers(inbound).length === 1;
    });
    await resolved(1);
    const [forwarded, ...others] = fresh("paymentForwarded");
    assert.deepEqual(
      [forwarded?.value.totalFeeMsat, forwarded?.value.skimmedFeeMsat],
      [1_020n, 20n],
    );
    assert.deepEqual([others.length, answers(inbound)], [0, ["claim"]]);
  });

  it("fails upstream with the reason from downstream, after the revocation", async () => {
    const inbound = await receive("A-B");
    const leg = await node.forward(inbound, link("B-C"));
    const reason = { ...onionFailure(), holdTime: 7 };
    leg.link.channel.failHtlc(leg.htlc, reason);
    await resolved(1);
    assert.deepEqual(kinds(), ["htlcHandlingFailed"]);
    assert.deepEqual(inbound.link.sent.at(-1), { htlcId: inbound.htlc.id, kind: "fail", reason });
  });

  it("joins two inbound HTLCs into two outbound ones; one preimage takes both", async () => {
    const secret = node.newSecret();
    const inbound = [
      await receive("A-B", AMOUNT, { secret }),
      await receive("A2-B", AMOUNT, { secret }),
    ];
    const legs = [
      await node.forward(inbound, link("B-C"), { amountMsat: HALF }),
      await node.forward(inbound, link("B-D"), { amountMsat: AMOUNT }),
    ];
    for (const leg of legs) await fulfil(leg, { secret });
    await resolved(1);
    assert.deepEqual(kinds(), ["paymentForwarded"]);
    assert.deepEqual(inbound.map(answers), [["claim"], ["claim"]]);
    assert.equal(fresh("paymentForwarded")[0]?.value.prev.length, 2);
  });

  it("is paid in two parts, and claims both when both monitors have the preimage", async () => {
    const secret = node.newSecret();
    const parts = [await receive("A-B", HALF, { secret }), await receive("A2-B", HALF, { secret })];
    await node.claimPayment(secret, parts);
    await resolved(1);
    assert.deepEqual(parts.map(answers), [["claim"], ["claim"]]);
    assert.equal(fresh("paymentClaimed")[0]?.value.amountMsat, AMOUNT);
  });

  it("pays in two parts, and hears PaymentSent once", async () => {
    const payment = await node.registerPayment(AMOUNT);
    const parts = [
      await node.payPart(payment, link("B-C"), HALF),
      await node.payPart(payment, link("B-D"), HALF),
    ];
    for (const part of parts) await fulfil(part, payment);
    await resolved(3);
    assert.deepEqual([...kinds()].sort(), [
      "paymentPathSuccessful",
      "paymentPathSuccessful",
      "paymentSent",
    ]);
  });

  it("probes, and says itself whether the probe arrived", async () => {
    const probe = await node.registerPayment(AMOUNT, { isProbe: true });
    const part = await node.payPart(probe, link("B-C"), AMOUNT);
    part.link.channel.failHtlc(part.htlc);
    await resolved(2);
    assert.deepEqual(kinds(), ["probeResult", "probeSuccessful"]);
  });

  it("says that an HTLC was never sent, and is not believed when it was", async () => {
    const inbound = await receive("A-B");
    const plan = node.plan(inbound, link("B-C"));
    await node.notSent(plan, "no liquidity");
    await resolved(1);
    assert.deepEqual([kinds(), answers(inbound)], [["htlcHandlingFailed"], ["fail"]]);
    const other = await receive("A-B");
    const sent = node.plan(other, link("B-C"));
    const leg = node.offer(sent);
    await leg.link.settle();
    await assert.rejects(node.notSent(sent, "no liquidity"), /htlcCommitted|commitment/);
    await fulfil(leg, other);
    await resolved(2);
    assert.deepEqual(answers(other), ["claim"]);
  });

  it("learns from the session what it forwarded, and is told again what it must claim", async () => {
    const inbound = await receive("A-B");
    const leg = await node.forward(inbound, link("B-C"));
    inbound.link.disconnect();
    await fulfil(leg, inbound);
    await leg.link.settle();
    await until("ClaimInbound in the holding cell", async () => {
      await node.handleItems();
      return inbound.link.held.has(inbound.htlc.id);
    });
    await restart(forgetful(node.memory()));
    assert.deepEqual(node.undecidedInbound(), []);
    assert.equal(inbound.link.held.size, 0);
    inbound.link.reconnect();
    await resolved(1);
    assert.deepEqual([kinds(), answers(inbound)], [["paymentForwarded"], ["claim"]]);
  });

  it("is stopped where it is behind; the monitors close that channel with their newer state", async () => {
    const old = node.memory();
    const inbound = await receive("A2-B");
    await restart(old);
    const behind = [...node.links.values()].filter(({ isBehind }) => isBehind);
    assert.deepEqual(behind, [inbound.link]);
    await node.closeByMonitors(inbound.link, "the node lost its newest state");
    const newest = inbound.link.channel.commitment("holder").built.txid;
    await until("the newest commitment in the mempool", async () => {
      const txids = z.array(z.string()).parse(await bitcoind.rpc("getrawmempool", []));
      return txids.includes(newest);
    });
    await bitcoind.mine(1);
    await resolved(1);
    const [closed] = fresh("channelClosed");
    assert.equal(closed?.value.reason, ClosureReason.OUTDATED_NODE);
  });

  it("is not let forward an HTLC twice", async () => {
    const inbound = await receive("A-B");
    await node.forward(inbound, link("B-C"));
    node.offer(node.plan(inbound, link("B-D")));
    await assert.rejects(link("B-D").settle(), (error) => {
      assert.ok(error instanceof UpdateRefused);
      assert.equal(error.reason, "duplicateForward");
      return true;
    });
  });
});
