/**
 * ChannelMonitors of a recorded node as LDK itself would have written them in the middle of its life: its
 * first monitor is read by LDK, and given the recorded updates and blocks one by one.
 */
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import type { Recording } from "@farwatch/monitor-service/replay/read-recording";
import type { ChannelMonitor } from "lightningdevkit";
import { Block } from "bitcoinjs-lib";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { readMonitor } from "../../fixture-recorder/ldk/monitor.js";
import { mustBeOk, okOf } from "../../fixture-recorder/ldk/result.js";
import { broadcaster, logger } from "../../fixture-recorder/ldk/traits.js";

const HEADER_BYTES = 80;
/** Nothing that is broadcast here matters, so neither does its fee. */
const ANY_FEERATE = 253;

export interface MidLife {
  /** Entries of the timeline that the monitors have taken. */
  readonly taken: number;
  /** Bytes by channel. */
  readonly monitors: ReadonlyMap<string, Uint8Array>;
}

/** After every update. The LDK module must be loaded. */
export function* midLifeMonitors(recording: Recording, name: string): Generator<MidLife> {
  const { seed, timeline } = must(recording.nodes[name], "a recorded node");
  const keys = ldk.KeysManager.constructor_new(fromHex(seed), 0n, 0);
  const monitors = new Map<string, ChannelMonitor>();
  for (const [index, entry] of timeline.entries()) {
    switch (entry.type) {
      case "watch_channel":
        monitors.set(entry.channel, readMonitor(keys, fromHex(entry.monitor)));
        break;
      case "update_channel":
        update(must(monitors.get(entry.channel), "a watched channel"), fromHex(entry.update));
        yield {
          taken: index + 1,
          monitors: new Map([...monitors].map(([channel, monitor]) => [channel, monitor.write()])),
        };
        break;
      case "block_connected": {
        const { raw, height } = must(recording.blocks.get(entry.hash), "a recorded block");
        for (const monitor of monitors.values()) connect(monitor, raw, height);
        break;
      }
      default:
        break;
    }
  }
}

const nobody = () => broadcaster(() => undefined);
const silent = () => logger(() => undefined);
const anyFee = () => ldk.FeeEstimator.new_impl({ get_est_sat_per_1000_weight: () => ANY_FEERATE });

function update(monitor: ChannelMonitor, bytes: Uint8Array): void {
  const read = ldk.ChannelMonitorUpdate.constructor_read(bytes);
  const Ok = ldk.Result_ChannelMonitorUpdateDecodeErrorZ_OK;
  const { res } = okOf(read, Ok, "reading an update");
  mustBeOk(monitor.update_monitor(res, nobody(), anyFee(), silent()), "update_monitor");
}

function connect(monitor: ChannelMonitor, raw: string, height: number): void {
  const transactions = (Block.fromHex(raw).transactions ?? []).map((tx, position) =>
    ldk.TwoTuple_usizeTransactionZ.constructor_new(position, tx.toBuffer()),
  );
  const header = fromHex(raw.slice(0, 2 * HEADER_BYTES));
  monitor.block_connected(header, transactions, height, nobody(), anyFee(), silent());
}
