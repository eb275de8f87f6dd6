/**
 * npm run bench [-- [--only monitor|blocks|ldk] [--json]]
 * Measures the services as shipped beside what limits them on this machine in the same run, and prints a
 * table; --only: one part of it; with --json the last line is the report as one JSON object. There is no target: only an error
 * makes it fail.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { blockRates } from "./blocks.js";
import { eventsAcked } from "./events.js";
import { LDK_SIZES, ldkRows } from "./ldk/main.js";
import { MonitorUnderTest } from "./monitor.js";
import { reportOf, tableOf, type Row } from "./report.js";
import { deliver, pipelinedUpdates, singleUpdates } from "./updates.js";
import { interleave, planChannel, type PlannedChannel } from "./workload.js";

/** One channel that is updated one update at a time: 300 updates. */
const ALONE = { channels: 1, rounds: 50, htlcsPerRound: 1 };
/** Busy channels with one HTLC each at a time: 3,600 updates. */
const BUSY = { channels: 50, rounds: 12, htlcsPerRound: 1 };
/** Few channels with many HTLCs, for a backlog of events: 1,400 of them. */
const LOADED = { channels: 10, rounds: 1, htlcsPerRound: 140 };

const PARTS: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  monitor: serviceRows,
  blocks: () => Promise.resolve(blockRates()),
  ldk: async () => ldkRows(LDK_SIZES, (await selectCurve("auto")).curve, console.log),
};

const options = {
  json: { type: "boolean", default: false },
  only: { type: "string" },
} as const;
try {
  const { values } = parseArgs({ options });
  const rows: Row[] = [];
  for (const part of partsNamed(values.only)) rows.push(...(await part()));
  const report = reportOf(rows);
  console.log(tableOf(report));
  if (values.json) console.log(JSON.stringify(report));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}

function partsNamed(only: string | undefined) {
  if (only === undefined) return Object.values(PARTS);
  const part = PARTS[only];
  if (part === undefined) throw new Error(`--only is one of ${Object.keys(PARTS).join(", ")}`);
  return [part];
}

async function serviceRows(): Promise<readonly Row[]> {
  const { curve } = await selectCurve("auto");
  const seed = Uint8Array.from(randomBytes(32));
  const alone = await plannedChannels(curve, seed, ALONE);
  const busy = await plannedChannels(curve, seed, BUSY);
  const loaded = await plannedChannels(curve, seed, LOADED);
  const monitor = await MonitorUnderTest.start(curve, seed);
  try {
    await monitor.watch([...alone, ...busy, ...loaded]);
    const single = await singleUpdates(monitor, interleave(alone), curve);
    const pipelined = await pipelinedUpdates(monitor, interleave(busy), curve);
    await deliver(monitor, interleave(loaded));
    const events = await eventsAcked(monitor, eventsOf(ALONE) + eventsOf(BUSY) + eventsOf(LOADED));
    return [...single, ...pipelined, events];
  } finally {
    await monitor.stop();
  }
}

type Shape = typeof ALONE;

function eventsOf({ channels, rounds, htlcsPerRound }: Shape): number {
  return channels * rounds * htlcsPerRound;
}

async function plannedChannels(
  curve: Curve,
  seed: Uint8Array,
  { channels, ...shape }: Shape,
): Promise<readonly PlannedChannel[]> {
  const started = performance.now();
  const planned: PlannedChannel[] = [];
  for (let index = 0; index < channels; index++) {
    planned.push(
      await planChannel({ curve, seed, name: `${JSON.stringify(shape)} ${index}`, ...shape }),
    );
  }
  const seconds = (performance.now() - started) / 1_000;
  const updates = planned.reduce((sum, channel) => sum + channel.updates.length, 0);
  console.log(`${updates} updates of ${channels} channels made in ${seconds.toFixed(1)} s`);
  return planned;
}
