/** A node that has kept its ChannelMonitors itself gives them to a manager-service. */
import assert from "node:assert/strict";
import { monitorWithoutClaimDetails } from "@farwatch/manager-service/ldk/claim-details";
import { ScriptedManager } from "@farwatch/manager-service/ldk/testing/scripted-manager";
import { must } from "@farwatch/protocol/assert";
import { decodeChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";
import { readMonitor } from "../../fixture-recorder/ldk/monitor.js";
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

const detailsIn = (bytes: Uint8Array): number => {
  const decoded = decodeChannelMonitor(bytes);
  assert.ok(decoded.ok);
  return decoded.value.trailer.preimages.flatMap(({ value }) => value.claimDetails).length;
};

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

  it("leaves the details of claims out of replicas, and nothing else", () => {
    const { pair } = independent();
    pair.a.autoClaim = false;
    const hash = pair.pay(pair.b, pair.a, AMOUNT_MSAT);
    pair.exchange();
    pair.disconnect();
    pair.a.claim(hash); // stays in the commitments: B is away
    const [bytes] = pair.a.persisted.values();
    const own = must(bytes, "a ChannelMonitor");
    assert.equal(detailsIn(own), 1);
    const bare = monitorWithoutClaimDetails(own);
    assert.equal(detailsIn(bare), 0);
    const [one, other] = [own, bare].map((read) => decodeChannelMonitor(read));
    assert.ok(one?.ok && other?.ok);
    assert.deepEqual(
      { ...one.value, trailer: { ...one.value.trailer, preimages: [] } },
      { ...other.value, trailer: { ...other.value.trailer, preimages: [] } },
    );
    assert.equal(monitorWithoutClaimDetails(bare), bare);
    assert.ok(readMonitor(pair.a.identity.keys, bare).get_latest_update_id() > 0n);
  });
});
