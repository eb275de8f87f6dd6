/**
 * How a scenario file tells the suite what it covers: `scenario({ id, run, ... })` at its top level.
 * Files are named `*.scenario.ts`; whoever runs the suite imports all of them.
 */
import { readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { assert } from "@farwatch/protocol/assert";
import { TITLES } from "./ids.js";
import type { World, WorldOptions } from "./world/world.js";

/** Makes a world that the suite ends, and checks when the scenario is over. */
export type MakeWorld = (options?: Omit<WorldOptions, "crashAt">) => Promise<World>;

export interface ScenarioOptions {
  /** As in ids.ts. */
  readonly id: string;
  /** Required when an id has more than one scenario. */
  readonly variant?: string;
  /** Default: that of the id. */
  readonly title?: string;
  /** One world at most when the id is swept; see world/README.md for what a swept scenario may assert. */
  run(make: MakeWorld): Promise<void>;
}

export interface Scenario extends ScenarioOptions {
  readonly title: string;
  /** Relative to test/scenarios, as TypeScript. */
  readonly file: string;
}

const SUFFIX = ".scenario.js";
const HERE = fileURLToPath(new URL(".", import.meta.url));
const registered: Scenario[] = [];
let loading = "";

export function scenario(options: ScenarioOptions): void {
  const title = TITLES[options.id];
  assert(title !== undefined, `no such scenario id: ${options.id}`);
  const name = nameOf(options);
  assert(!registered.some((other) => nameOf(other) === name), `registered twice: ${name}`);
  registered.push({ title, ...options, file: loading });
}

export const nameOf = ({ id, variant }: Pick<Scenario, "id" | "variant">): string =>
  variant === undefined ? id : `${id} ${variant}`;

/** Imports every scenario file; in the order of ids. */
export async function loadScenarios(): Promise<readonly Scenario[]> {
  for (const file of scenarioFiles()) {
    loading = relative(HERE, file).split(sep).join("/").replace(/\.js$/, ".ts");
    await import(pathToFileURL(file).href);
  }
  const order = Object.keys(TITLES);
  return [...registered].sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
}

export const missingIds = (scenarios: readonly Scenario[]): readonly string[] =>
  Object.keys(TITLES).filter((id) => !scenarios.some((one) => one.id === id));

const scenarioFiles = (): readonly string[] =>
  readdirSync(HERE, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(SUFFIX))
    .sort()
    .map((file) => join(HERE, file));
