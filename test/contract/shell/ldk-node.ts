/**
 * A recorded LDK node whose monitors a real host holds: its timeline is given to the host as a manager
 * would, LDK's update bytes as they came. Recorded blocks are mined anew, at the same heights.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Block } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import type { ChannelId } from "@farwatch/protocol/ids";
import { readRecording, type Recording } from "@farwatch/monitor-service/replay/read-recording";
import type { SubmitOutcome } from "@farwatch/monitor-service/runtime/monitor-host";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { World, type WorldOptions } from "./world.js";

type Entry = Recording["nodes"][string]["timeline"][number];

/** From test/dist/contract/shell. */
export const vectors = new URL("../../../vectors/ldk-fixtures/", import.meta.url);

export const recordingNamed = (name: string): Recording =>
  readRecording(fileURLToPath(new URL(`${name}.json`, vectors)));

export class LdkNode {
  readonly #ids = new Map<string, ChannelId>();

  private constructor(
    readonly world: World,
    private readonly recording: Recording,
    readonly timeline: readonly Entry[],
  ) {}

  /** A host that has the node's seed, one block below the recording's first. */
  static async start(
    recording: Recording,
    name: string,
    options: WorldOptions = {},
  ): Promise<LdkNode> {
    const { seed, timeline } = must(recording.nodes[name], "a recorded node");
    const [first] = recording.blocks.values();
    const firstHeight = must(first, "a block").height - 1;
    const world = await World.start({ seed: fromHex(seed), firstHeight, ...options });
    return new LdkNode(world, recording, timeline);
  }

  channelId(name: string): ChannelId {
    return must(this.#ids.get(name), "a watched channel");
  }

  async take(entry: Entry): Promise<void> {
    if (entry.type === "watch_channel") await this.watch(entry.channel, fromHex(entry.monitor));
    if (entry.type === "update_channel") {
      const outcome = await this.update(entry.channel, fromHex(entry.update));
      assert.deepEqual(outcome.refused, []);
    }
    if (entry.type === "block_connected") {
      const { raw } = must(this.recording.blocks.get(entry.hash), "a recorded block");
      const [, ...transactions] = Block.fromHex(raw).transactions ?? [];
      await this.world.mine(...transactions.map((tx) => Uint8Array.from(tx.toBuffer())));
    }
  }

  update(channel: string, bytes: Uint8Array): Promise<SubmitOutcome> {
    const { manager } = this.world;
    const ldk = { payloadType: "ldkBytes" } as const;
    return this.world.submit(manager.payloadUpdate(this.channelId(channel), bytes, ldk));
  }

  /** A new channel, or one in the middle of its life. */
  async watch(channel: string, bytes: Uint8Array): Promise<void> {
    const read = readLdkMonitor(bytes, REGTEST_CHAIN_HASH, this.world.curve);
    assert.ok(read.ok);
    const { initial, firstUpdateId } = read.value;
    const { host, manager } = this.world;
    // The blocks are not those the node saw: the host starts at its own tip, at the same height.
    const here = { ...initial, bestBlock: undefined };
    const watched = await host.watchChannel(manager.who, manager.watch(here, firstUpdateId));
    assert.ok(watched.ok, watched.ok ? "" : watched.error.message);
    this.#ids.set(channel, initial.parameters.channelId);
  }
}
