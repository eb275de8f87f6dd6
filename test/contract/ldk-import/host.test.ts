/**
 * A host that takes over a channel in use from LDK's ChannelMonitor: the updates that follow are LDK's own,
 * and a commitment revoked long before the import is punished to its last output, after a restart too.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { loadLdk } from "../../fixture-recorder/ldk/module.js";
import { LdkNode, recordingNamed } from "../shell/ldk-node.js";
import { midLifeMonitors } from "./mid-life.js";

const RUN = "revoked.anchors_zero_fee_htlc_tx";
const NODE = "B";

describe("a channel imported after its counterparty had revoked", function () {
  this.timeout(120_000);
  const recording = recordingNamed(RUN);
  const expected = must(recording.expect?.[NODE], "expected").confirmed_broadcasts;
  let node: LdkNode;
  before(async () => {
    await loadLdk();
  });
  beforeEach(async () => {
    node = await LdkNode.start(recording, NODE);
  });
  afterEach(() => node.world.end());

  const state = (channel: string): MonitorState => {
    const { host, manager } = node.world;
    const view = host.channel(manager.who, node.channelId(channel));
    assert.ok(view.ok);
    return view.value.state;
  };
  async function restart(channel: string): Promise<void> {
    const before = node.world.stateOf(node.channelId(channel));
    await node.world.restart();
    await node.world.openSession();
    assert.deepEqual(node.world.stateOf(node.channelId(channel)), before);
  }
  const spent = (): ReadonlySet<string> =>
    new Set(
      node.world.chain.broadcasts
        .flatMap((raw) => Transaction.fromBuffer(Buffer.from(raw)).ins)
        .map(({ hash, index }) => `${Buffer.from(hash).reverse().toString("hex")}:${index}`),
    );

  it("takes the rest of LDK's updates and spends what LDK spent", async () => {
    const open = [...midLifeMonitors(recording, NODE)].slice(0, -2);
    const { taken, monitors } = must(open.at(-1), "a state late in its life");
    const [[channel, monitor] = assert.fail("a channel")] = monitors;
    for (const entry of node.timeline.slice(0, taken)) {
      if (entry.type === "block_connected") await node.take(entry);
    }
    await node.watch(channel, monitor);
    const revoked = state(channel).counterparty.commitmentNumber;
    assert.ok(revoked > 5);
    await restart(channel);
    for (const entry of node.timeline.slice(taken)) {
      if (entry.type === "update_channel") {
        await node.take(entry);
        await restart(channel);
      } else if (entry.type === "block_connected") {
        await node.take(entry);
      }
    }
    const { spend } = state(channel);
    assert.deepEqual([spend?.kind, spend?.identified], ["revoked", true]);
    assert.ok(must(spend?.commitmentNumber, "a number") < revoked);
    const wanted = expected.flatMap(({ inputs }) => inputs);
    assert.ok(wanted.length >= 3);
    assert.deepEqual(
      wanted.filter((outpoint) => !spent().has(outpoint)),
      [],
    );
  });
});
