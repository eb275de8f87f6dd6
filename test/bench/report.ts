/**
 * What the benchmark prints: each measured value beside the limit of the same run, because only the
 * ratio says something on another machine. A ratio is the share of the limit that was reached.
 */
import { execFileSync } from "node:child_process";
import os from "node:os";

export interface Limit {
  readonly name: string;
  readonly value: number;
}

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "updates/s" | "payments/s" | "events/s" | "blocks/s";
  readonly limit: number;
  readonly limit_name: string;
  /** 1 is the limit itself, 0.5 is half as fast. */
  readonly ratio: number;
}

export interface Report {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly node: string;
    readonly platform: string;
  };
  /** git rev-parse HEAD, or "unknown". */
  readonly commit: string;
  readonly rows: readonly Row[];
}

/** A row of a duration in milliseconds: lower is better. */
export const durationRow = (name: string, value: number, limit: Limit): Row => ({
  name,
  value: rounded(value),
  unit: "ms",
  limit: rounded(limit.value),
  limit_name: limit.name,
  ratio: rounded(limit.value / value),
});

/** A row of a rate per second: higher is better. */
export const rateRow = (
  name: string,
  unit: Exclude<Row["unit"], "ms">,
  value: number,
  limit: Limit,
): Row => ({
  name,
  value: rounded(value),
  unit,
  limit: rounded(limit.value),
  limit_name: limit.name,
  ratio: rounded(value / limit.value),
});

/** Three significant digits are more than a shared machine repeats. */
const rounded = (value: number): number => Number(value.toPrecision(3));

export const reportOf = (rows: readonly Row[]): Report => ({
  machine: {
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: os.availableParallelism(),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  },
  commit: commitId(),
  rows,
});

function commitId(): string {
  try {
    const options = { cwd: import.meta.dirname, encoding: "utf8", stdio: "pipe" } as const;
    return execFileSync("git", ["rev-parse", "HEAD"], options).trim();
  } catch {
    return "unknown"; // no git, or not a checkout
  }
}

/** For people: one line a row, ratios first. */
export function tableOf({ machine, commit, rows }: Report): string {
  const { cpu, cores, node, platform } = machine;
  const lines = rows.map(({ name, value, unit, limit, limit_name, ratio }) => [
    ratio.toPrecision(2),
    name,
    `${value} ${unit}`,
    `${limit} ${unit}`,
    limit_name,
  ]);
  const header = ["ratio", "what", "measured", "limit", "limit is"];
  const all = [header, ...lines];
  const widths = header.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? "").length)),
  );
  const padded = all.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  "));
  return [
    `${cpu}, ${cores} cores, node ${node}, ${platform}, commit ${commit.slice(0, 12)}`,
    ...padded.map((line) => line.trimEnd()),
  ].join("\n");
}
