/** What one LDK node gives its Watch while it pays, in LDK's bytes and as typed words of ours. */
import { assert } from "@farwatch/protocol/assert";
import type { InitialState } from "@farwatch/protocol/channel";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { encodeInitialState } from "@farwatch/protocol/convert/channel";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import type { ChannelId } from "@farwatch/protocol/ids";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { readLdkUpdate } from "@farwatch/protocol/ldk/convert/read-update";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { curveFacts, type CurveFacts } from "../workload.js";
import { FileWatch } from "./file-watch.js";
import { run } from "./load.js";
import { Market } from "./market.js";
import type { Listener } from "./timed-watch.js";

interface Recorded {
  readonly monitor: Uint8Array;
  readonly updates: Uint8Array[];
}

/** The same channel twice: what LDK wrote, and what it says. */
export interface RecordedChannel {
  readonly channelId: ChannelId;
  readonly firstUpdateId: bigint;
  readonly monitor: Uint8Array;
  readonly initial: InitialState;
  readonly typedInitial: Uint8Array;
  readonly updates: readonly RecordedUpdate[];
}

export interface RecordedUpdate {
  readonly updateId: bigint;
  readonly ldk: Uint8Array;
  readonly typed: Uint8Array;
  readonly curve: CurveFacts;
}

export interface RecordingSizes {
  readonly channels: number;
  readonly payments: number;
  readonly inFlight: number;
}

export async function record(
  seed: Uint8Array,
  { channels, ...load }: RecordingSizes,
  curve: Curve,
): Promise<readonly RecordedChannel[]> {
  const recorded = new Map<string, Recorded>();
  const listener: Listener = {
    watched: (name, monitor) => void recorded.set(name, { monitor: monitor.write(), updates: [] }),
    updated: (name, update) => void recorded.get(name)?.updates.push(update.write()),
  };
  const market = await Market.open({
    seed,
    channels,
    folder: undefined,
    watch: (own) => new FileWatch(own, undefined),
    listener,
  });
  await run(market, { ...load, saving: { when: "asked", everyMs: 0 } }, []);
  await market.payer.stop();
  return [...recorded.values()].map((one) => inOurWords(one, curve));
}

function inOurWords({ monitor, updates }: Recorded, curve: Curve): RecordedChannel {
  const read = readLdkMonitor(monitor, REGTEST_CHAIN_HASH, curve);
  assert(read.ok, "a first ChannelMonitor is readable");
  const { initial, firstUpdateId } = read.value;
  return {
    channelId: initial.parameters.channelId,
    firstUpdateId,
    monitor,
    initial,
    typedInitial: encodeInitialState({ ...initial, ldkMonitor: undefined }),
    updates: updates.map((ldk) => {
      const update = readLdkUpdate(ldk, () => initial);
      assert(update.ok, "an update is readable");
      const { updateId, steps } = update.value;
      return { updateId, ldk, typed: encodeUpdatePayload(steps), curve: curveFacts(steps) };
    }),
  };
}
