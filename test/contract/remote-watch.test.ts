/** RemoteWatch under a real LDK 0.1 node, against a manager-service that a test plays. */
import assert from "node:assert/strict";
import { ScriptedManager } from "@farwatch/manager-service/ldk/testing/scripted-manager";
import { must } from "@farwatch/protocol/assert";
import { ldk, loadLdk } from "../fixture-recorder/ldk/module.js";
import { InProcessNode, NodeIdentity } from "../harness/in-process-ldk/node.js";
import { Pair } from "../harness/in-process-ldk/pair.js";
import { PaperChain } from "../harness/in-process-ldk/paper-chain.js";
import { mine, settle } from "../harness/in-process-ldk/settle.js";
import { WatchedNode } from "../harness/in-process-ldk/watched-node.js";

interface Stage {
  readonly manager: ScriptedManager;
  readonly chain: PaperChain;
  readonly a: WatchedNode;
  readonly pair: Pair;
}
const stages: Stage[] = [];

async function stage(anchors = false): Promise<Stage> {
  const manager = new ScriptedManager();
  await manager.start();
  const chain = new PaperChain();
  const lines: string[] = [];
  const identity = (name: string, fill: number) =>
    new NodeIdentity({
      name,
      seed: new Uint8Array(32).fill(fill),
      chain,
      anchors,
      log: (line) => lines.push(line),
    });
  const a = new WatchedNode(identity("A", 1), manager.address);
  await a.start();
  const pair = new Pair(chain, a.node, new InProcessNode(identity("B", 2)));
  pair.connect();
  const made = { manager, chain, a, pair };
  stages.push(made);
  return made;
}

/** A channel that both sides use, 400,000 of its 1,000,000 sat on B's side. */
async function openedChannel(anchors = false): Promise<Stage> {
  const made = await stage(anchors);
  made.pair.startChannel(made.a.node, 1_000_000n, 400_000_000n);
  await settle(made.pair, made.a);
  await mine(made.pair, made.a, 4);
  assert.equal(made.a.node.manager.list_usable_channels().length, 1);
  return made;
}

async function restart({ a, pair }: Stage): Promise<void> {
  pair.disconnect();
  await a.kill();
  pair.a = await a.start();
  await settle(pair, a);
  pair.connect();
  await settle(pair, a);
}

describe("RemoteWatch under LDK", function () {
  this.timeout(120_000);
  before(() => loadLdk());
  afterEach(async () => {
    for (const { a, manager } of stages.splice(0)) {
      await a.kill();
      manager.stop();
    }
  });

  it("holds the first monitor until the ChannelManager is saved, and the funding until Completed", async () => {
    const { manager, chain, a, pair } = await stage();
    manager.holdsCompletions = true;
    pair.startChannel(a.node, 1_000_000n, 0n);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(manager.channels.size, 0);
    a.save();
    await settle(pair, a);
    assert.equal(manager.channels.size, 1);
    assert.equal(chain.mempool.length, 0);
    manager.complete();
    await settle(pair, a);
    assert.equal(chain.mempool.length, 1);
  });

  for (const anchors of [false, true]) {
    it(`pays both ways, ${anchors ? "anchors" : "static_remotekey"}`, async () => {
      const { manager, a, pair } = await openedChannel(anchors);
      const there = pair.pay(a.node, pair.b, 50_000_000n);
      await settle(pair, a);
      assert.ok(a.node.has(ldk.Event_PaymentSent, there));
      const back = pair.pay(pair.b, a.node, 20_000_000n);
      await settle(pair, a);
      assert.ok(pair.b.has(ldk.Event_PaymentSent, back));
      assert.deepEqual(a.alarms, []);
      const [held] = manager.channels.values();
      const ids = manager.received.map(({ updateId }) => updateId);
      assert.deepEqual(
        ids,
        must(held, "a channel").updates.map((_, at) => BigInt(at + 1)),
      );
    });

    it(`comes back from its disk with the channel open, ${anchors ? "anchors" : "static"}`, async () => {
      const made = await openedChannel(anchors);
      const { a, pair } = made;
      await restart(made);
      assert.equal(a.node.manager.list_usable_channels().length, 1);
      const there = pair.pay(a.node, pair.b, 50_000_000n);
      await settle(pair, a);
      assert.ok(a.node.has(ldk.Event_PaymentSent, there));
      assert.deepEqual(a.alarms, []);
    });
  }
});
