/**
 * Hostile LDK bytes at a whole monitor host with its store on disk: an update or a first state is refused with
 * a reason of ours and nothing has changed, or it is one that LDK could have written. The channel goes on.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { equalBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { decodeMonitorUpdate, encodeMonitorUpdate } from "@farwatch/protocol/ldk/update";
import { REASONS, type Refusal } from "@farwatch/protocol/reasons";
import { firstMonitors, updateSeeds } from "../../fuzz/seeds.js";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { LdkNode, recordingNamed } from "../shell/ldk-node.js";
import { World } from "../shell/world.js";
import { changed, withId } from "./inputs.js";

const UPDATES = 100;
const MONITORS = 100;
/** How many updates of the recording came before: the first one, and amid HTLCs. */
const STAGES = [0, 9];

const isReason = ({ reason, message }: Refusal): boolean =>
  Object.hasOwn(REASONS, reason) && message !== "";

describe("hostile LDK bytes at a monitor", function () {
  this.timeout(120_000);
  const recording = recordingNamed("revoked.anchors_zero_fee_htlc_tx");
  const [channel] = must(recording.nodes["B"], "node B").timeline.flatMap((entry) =>
    entry.type === "watch_channel" ? [entry.channel] : [],
  );
  const name = must(channel, "a channel");
  let current: World | undefined;
  afterEach(() => current?.end());

  async function nodeBefore(updates: number): Promise<{ node: LdkNode; at: number }> {
    await current?.end();
    const node = await LdkNode.start(recording, "B");
    current = node.world;
    let left = updates;
    const at = node.timeline.findIndex(({ type }) => type === "update_channel" && left-- === 0);
    for (const entry of node.timeline.slice(0, at)) await node.take(entry);
    return { node, at };
  }

  /** Whether it was refused; then nothing has changed. */
  async function refuses(node: LdkNode, bytes: Uint8Array): Promise<boolean> {
    const id = node.channelId(name);
    const { manager } = node.world;
    const head = must(manager.heads.get(id), "a head");
    const before = node.world.stateOf(id);
    const outcome = await node.update(name, bytes);
    const refusal = outcome.refused[0]?.refusal;
    if (refusal === undefined) return false;
    assert.ok(isReason(refusal), refusal.reason);
    manager.heads.set(id, head);
    assert.ok(equalBytes(node.world.stateOf(id), before), toHex(bytes));
    return true;
  }

  for (const stage of STAGES) {
    it(`updates in place of number ${stage + 1}: refused, the channel goes on`, async () => {
      let { node, at } = await nodeBefore(stage);
      const entry = must(node.timeline[at], "an update");
      assert.ok(entry.type === "update_channel");
      const next = fromHex(entry.update);
      let before = await node.world.rows();
      let refused = 0;
      for (const bytes of changed(next, updateSeeds(), { count: UPDATES, seed: stage + 1 })) {
        if (await refuses(node, withId(bytes, BigInt(stage + 1)))) {
          refused += 1;
          continue;
        }
        // Also bytes that differ where LDK repeats itself: what is not read cannot be wrong.
        const decoded = decodeMonitorUpdate(withId(bytes, BigInt(stage + 1)));
        assert.ok(decoded.ok && encodeMonitorUpdate(decoded.value).ok);
        ({ node, at } = await nodeBefore(stage));
        before = await node.world.rows();
      }
      assert.ok(refused > UPDATES / 2, `${refused} refused`);
      assert.deepEqual(await node.world.rows(), before);
      for (const later of node.timeline.slice(at)) await node.take(later);
      assert.deepEqual(node.world.fatal, []);
    });
  }

  it("first states from hostile monitors: refused or watched, the host goes on", async () => {
    const world = await World.start();
    current = world;
    const monitors = firstMonitors();
    const [first] = monitors;
    let given = 0;
    for (const bytes of changed(must(first, "a monitor"), monitors, { count: MONITORS, seed: 5 })) {
      const read = readLdkMonitor(bytes, REGTEST_CHAIN_HASH, world.curve);
      if (!read.ok) {
        assert.ok(isReason(read.error), read.error.reason);
        continue;
      }
      given += 1;
      const { initial, firstUpdateId } = read.value;
      const request = world.manager.watch(initial, firstUpdateId);
      const watched = await world.host.watchChannel(world.manager.who, request);
      if (!watched.ok) assert.ok(isReason(watched.error), watched.error.reason);
    }
    assert.ok(given > 0);
    const channel = await world.open();
    assert.ok(world.host.channel(world.manager.who, channel.channelId).ok);
    assert.deepEqual(world.fatal, []);
  });
});
