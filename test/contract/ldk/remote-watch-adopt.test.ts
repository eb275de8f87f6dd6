/** A node that has kept its ChannelMonitors itself gives them to a manager-service. */
import assert from "node:assert/strict";
import { ScriptedManager } from "@farwatch/manager-service/ldk/testing/scripted-manager";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";
import { InProcessNode, NodeIdentity } from "../../harness/in-process-ldk/node.js";
import { Pair } from "../../harness/in-process-ldk/pair.js";
import { PaperChain } from "../../harness/in-process-ldk/paper-chain.js";
import { settle } from "../../harness/in-process-ldk/settle.js";
import { WatchedNode } from "../../harness/in-process-ldk/watched-node.js";

const AMOUNT_MSAT = 5_000_000n;

/** Two nodes with monitors of their own, a channel, and a payment behind them. */
function independent() {
  const chain = new PaperChain();
  const identity = (name: string, fill: number) =>
    new NodeIdentity({ name, seed: new Uint8Array(32).fill(fill), chain, anchors: true });
  const ofA = identity("A", 1);
  const pair = new Pair(chain, new InProcessNode(ofA), new InProcessNode(identity("B", 2)));
  pair.connect();
  pair.startChannel(pair.a, 1_000_000n, 400_000_000n);
  for (let n = 0; n < 4; n++) pair.mine();
  pair.pay(pair.a, pair.b, AMOUNT_MSAT);
  pair.exchange();
  return { pair, ofA };
}

describe("RemoteWatch: adopt", function () {
  this.timeout(60_000);
  const manager = new ScriptedManager();
  before(async () => {
    await loadLdk();
    await manager.start();
  });
  after(() => manager.stop());

  it("goes on with the channel, also when it died right after", async () => {
    const { pair, ofA } = independent();
    const own = [...pair.a.persisted.values()];
    const bytes = pair.a.manager.write();
    pair.disconnect();
    const watched = new WatchedNode(ofA, manager.address);
    watched.own = own;
    watched.disk = { manager: bytes, told: new Uint8Array(0) };
    await watched.start();
    await watched.kill(); // before any snapshot: the next attempt begins at the same bytes
    pair.a = await watched.start();
    const [held] = manager.channels.values();
    assert.ok(held !== undefined && held.baseId > 0n);
    watched.own = undefined;
    pair.connect();
    await settle(pair, watched);
    const hash = pair.pay(pair.a, pair.b, AMOUNT_MSAT);
    await settle(pair, watched);
    assert.ok(pair.a.has(ldk.Event_PaymentSent, hash));
    pair.disconnect();
    await watched.kill();
    pair.a = await watched.start();
    pair.connect();
    await settle(pair, watched);
    assert.equal(pair.a.manager.list_usable_channels().length, 1);
    assert.ok(held.updates.length > 0);
    assert.deepEqual(watched.alarms, []);
    await watched.kill();
  });
});
