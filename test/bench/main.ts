/**
 * npm run bench [-- --json]
 * Measures the monitor as shipped beside what limits it on this machine in the same run, and prints a
 * table; with --json the last line is the report as one JSON object. There is no target: only an error
 * makes it fail.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { blockRates } from "./blocks.js";
import { eventsAcked } from "./events.js";
import { MonitorUnderTest } from "./monitor.js";
import { reportOf, tableOf, type Row } from "./report.js";
import { pipelinedUpdates, singleUpdates } from "./updates.js";
import { interleave, planChannel, type PlannedChannel } from "./workload.js";

const CHANNELS = 50;
/** Six updates and one event each. */
const PAYMENTS_PER_CHANNEL = 40;
/** Of the one channel that is updated one update at a time. */
const SINGLE_PAYMENTS = 60;

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
try {
  const report = reportOf([...(await serviceRows()), ...blockRates()]);
  console.log(tableOf(report));
  if (values.json) console.log(JSON.stringify(report));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}

async function serviceRows(): Promise<readonly Row[]> {
  const { curve } = await selectCurve("auto");
  const curves = curve.backend === nobleCurve.backend ? [curve] : [curve, nobleCurve];
  const seed = Uint8Array.from(randomBytes(32));
  const [alone, ...many] = await planned(curve, seed);
  if (alone === undefined) throw new Error("no channel was planned");
  const monitor = await MonitorUnderTest.start(curve, seed);
  try {
    await monitor.watch([alone, ...many]);
    const single = await singleUpdates(monitor, alone.updates);
    const pipelined = await pipelinedUpdates(monitor, interleave(many), curves);
    const events = await eventsAcked(monitor, SINGLE_PAYMENTS + CHANNELS * PAYMENTS_PER_CHANNEL);
    return [single, ...pipelined, events];
  } finally {
    await monitor.stop();
  }
}

async function planned(curve: Curve, seed: Uint8Array): Promise<readonly PlannedChannel[]> {
  const started = performance.now();
  const channels: PlannedChannel[] = [];
  for (let index = 0; index <= CHANNELS; index++) {
    const payments = index === 0 ? SINGLE_PAYMENTS : PAYMENTS_PER_CHANNEL;
    channels.push(await planChannel({ curve, seed, name: `channel ${index}`, payments }));
  }
  const seconds = (performance.now() - started) / 1_000;
  const updates = channels.reduce((sum, channel) => sum + channel.updates.length, 0);
  console.log(`${updates} updates of ${channels.length} channels made in ${seconds.toFixed(1)} s`);
  return channels;
}
