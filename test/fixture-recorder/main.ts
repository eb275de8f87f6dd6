/**
 * npm run fixture:record -- --scenario NAME --channel-type TYPE --seed N --out DIR
 * Records runs of real LDK nodes on a real regtest chain into DIR and checks each file: a bare
 * ChannelMonitor that is given only what the file holds must reach the file's conclusions.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { CHANNEL_TYPES, SCHEMA, type Fixture } from "./fixture/document.js";
import { problemsOf, type Shapes } from "./fixture/shapes.js";
import { writeFixture } from "./fixture/write.js";
import { loadLdk } from "./ldk/module.js";
import { record, RecordingFailed, type Choice } from "./record.js";
import { SCENARIOS } from "./scenarios/index.js";
import type { Scenario } from "./scenarios/scenario.js";
import { differencesOfReplay } from "./verify.js";

const USAGE = `npm run fixture:record -- --scenario NAME --channel-type TYPE --seed N --out DIR
  --scenario NAME      all, or ${SCENARIOS.map(({ name }) => name).join(", ")}
  --channel-type TYPE  both, or ${CHANNEL_TYPES.join(", ")}
  --seed N             node seeds, amounts, counts, expiries, fees and delays all follow from it
  --out DIR            files are named SCENARIO.TYPE.SEED.json
  --scale-percent N    scales the drawn HTLC amounts (default 100)
  --channel-sat N      value of each channel (default: drawn)
npm run fixture:record -- --verify FILE...
  replays files that exist and records nothing`;

class UsageError extends Error {}

const SHAPES = new URL("../../vectors/fixture-shapes.json", import.meta.url);
const shapes: Shapes = JSON.parse(readFileSync(SHAPES, "utf8"));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scenario: { type: "string" },
    "channel-type": { type: "string", default: "both" },
    seed: { type: "string" },
    out: { type: "string" },
    "scale-percent": { type: "string", default: "100" },
    "channel-sat": { type: "string" },
    verify: { type: "boolean", default: false },
  },
});

try {
  const differences = values.verify ? await verifyFiles(positionals) : await recordAll();
  if (differences > 0) process.exitCode = 1;
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n${USAGE}`);
  else console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function recordAll(): Promise<number> {
  const out = given("out");
  const scenarios = chosen(SCENARIOS, given("scenario"), "all", ({ name }) => name);
  const types = chosen(CHANNEL_TYPES, values["channel-type"], "both", (name) => name);
  let differences = 0;
  for (const scenario of scenarios) {
    for (const channelType of types) {
      const choice = { channelType, seed: whole(given("seed")), ...amounts() };
      differences += await recordOne(scenario, choice, out);
    }
  }
  return differences;
}

async function recordOne(scenario: Scenario, choice: Choice, out: string): Promise<number> {
  const started = Date.now();
  const what = `${scenario.name}.${choice.channelType}.${choice.seed}`;
  try {
    const file = writeFixture(await record(scenario, choice), out, choice.seed);
    const seconds = ((Date.now() - started) / 1_000).toFixed(1);
    console.log(`${file}: recorded in ${seconds} s`);
    return await verifyFiles([file]);
  } catch (error) {
    if (error instanceof RecordingFailed) {
      mkdirSync(out, { recursive: true });
      const log = path.join(out, `${what}.log`);
      writeFileSync(log, `${error.ldkLog.join("\n")}\n`);
      console.error(error.cause);
      throw new Error(`${what}: ${error.message}; LDK's log is in ${log}`);
    }
    throw error;
  }
}

async function verifyFiles(files: readonly string[]): Promise<number> {
  if (files.length === 0) throw new UsageError("no file given");
  await loadLdk();
  let differences = 0;
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    const fixture: Fixture = JSON.parse(text);
    if (fixture.schema !== SCHEMA) throw new UsageError(`${file}: not of schema ${SCHEMA}`);
    const lines = [...problemsOf(JSON.parse(text), shapes), ...differencesOfReplay(fixture)];
    differences += lines.length;
    console.log(`${file}: ${lines.length === 0 ? "a bare monitor concludes the same" : "DIFFERS"}`);
    for (const line of lines) console.log(`  ${line}`);
  }
  return differences;
}

function chosen<T>(
  all: readonly T[],
  name: string,
  everything: string,
  nameOf: (item: T) => string,
): readonly T[] {
  const some = name === everything ? all : all.filter((item) => nameOf(item) === name);
  if (some.length === 0) throw new UsageError(`unknown: ${name}`);
  return some;
}

function given(name: "scenario" | "seed" | "out"): string {
  const value = values[name];
  if (value === undefined) throw new UsageError(`--${name} is missing`);
  return value;
}

function amounts() {
  const channelSat = values["channel-sat"];
  const scalePercent = whole(values["scale-percent"]);
  return { scalePercent, ...(channelSat === undefined ? {} : { channelSat: whole(channelSat) }) };
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`not a whole number: ${text}`);
  return Number(text);
}
