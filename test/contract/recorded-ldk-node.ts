/**
 * A recorded LDK node at a manager's shell with scripted monitors: it gives its monitors and updates as LDK
 * wrote them. No rules of its own.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { Role } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { updateId, type ChannelId } from "@farwatch/protocol/ids";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { CHAIN_HASH, NODE } from "@farwatch/manager-service/manager/testing/scene";
import { WHO, type Bench } from "@farwatch/manager-service/runtime/testing/bench";
import type { Recording } from "@farwatch/monitor-service/replay/read-recording";

type Timeline = Recording["nodes"][string]["timeline"];

export async function openedAs(bench: Bench, role: Role): Promise<void> {
  await bench.start();
  const opened = await bench.host.openSession(WHO, {
    nodeKey: Buffer.from(fromHex(NODE)),
    nodeEpoch: 1n,
    role,
    ldkVersion: "0.1.0",
    channels: [],
  });
  assert.ok(opened.ok);
}

/** What one recorded node gives to its manager. */
export class RecordedNode {
  readonly #ids = new Map<string, ChannelId>();
  constructor(private readonly bench: Bench) {}

  watch(bytes: Uint8Array, first = 0) {
    return this.bench.host.watchChannel(WHO, { kind: "ldkMonitor", bytes }, updateId(first));
  }
  async take(entry: Timeline[number]): Promise<void> {
    if (entry.type === "watch_channel") {
      const bytes = fromHex(entry.monitor);
      const read = readLdkMonitor(bytes, CHAIN_HASH, nobleCurve);
      assert.ok(read.ok);
      const { channelId } = read.value.initial.parameters;
      const watched = await this.watch(bytes);
      assert.ok(watched.ok, watched.ok ? "" : watched.error.message);
      await this.bench.durable(Number(watched.value.acceptedId), channelId);
      this.#ids.set(entry.channel, channelId);
    }
    if (entry.type !== "update_channel") return;
    const bytes = fromHex(entry.update);
    await this.update(this.channelId(entry.channel), idOf(bytes), bytes);
  }
  channelId(name: string): ChannelId {
    return must(this.#ids.get(name), "a watched channel");
  }
  update(channelId: ChannelId, id: bigint, payload: Uint8Array): Promise<void> {
    const names = { channelId, updateId: updateId(id), payload };
    return this.bench.host.update(WHO, { ...names, payloadType: "ldkBytes" });
  }
}

/** `ChannelMonitorUpdate`: version, minimum version, u64 update id. */
export const idOf = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes.slice(2, 10))}`);
