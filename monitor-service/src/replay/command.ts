/**
 * `farwatch-monitor replay`: for forensics. JSON of every node replayed on stdout; with `--expect` also a
 * line per node and a diff on stderr, and exit code 1 when something differs.
 */
import { Command } from "commander";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { compareNode } from "./compare.js";
import { readRecording, type Recording } from "./read-recording.js";
import { replayNode } from "./replay-node.js";
import { reportOf } from "./report.js";
import { ReplayError } from "./replay-error.js";
import type { Verdict } from "./verdict.js";

interface ReplayFlags {
  readonly node?: string;
  readonly expect?: boolean;
  readonly fromSnapshot?: boolean;
}

export interface ReplayOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** `differs` is told when the comparison failed. */
export function replayCommand(output: ReplayOutput, differs: () => void): Command {
  return new Command("replay")
    .description("run recordings of LDK nodes through this monitor's core and show what it does")
    .argument("<file...>", "recordings of schema ldkjs-fixture/1")
    .option(
      "--node <name>",
      "only this node; default: all, with --expect those it expects something of",
    )
    .option("--expect", "compare with what the recording concluded, exit 1 when it differs")
    .option(
      "--from-snapshot",
      "start at the newest ChannelMonitors in the timeline (entries of type snapshot), as an import does",
    )
    .action(async (files: readonly string[], flags: ReplayFlags) => {
      const { curve } = await selectCurve("auto");
      const same = replayFiles(files, flags, curve, output);
      if (!same) differs();
    });
}

function replayFiles(
  files: readonly string[],
  flags: ReplayFlags,
  curve: Curve,
  { out, err }: ReplayOutput,
): boolean {
  let same = true;
  const reports = files.map((file) => {
    const recording = readRecording(file);
    const nodes = namesOf(file, recording, flags).map((name) => {
      const node = replayNode(recording, name, curve, flags);
      const verdict = flags.expect === true ? compareNode(recording, name, node) : undefined;
      if (verdict !== undefined) {
        err(verdictText(`${file} ${name}`, verdict));
        same &&= verdict.problems.length === 0;
      }
      return [name, reportOf(node, verdict)] as const;
    });
    return { file, scenario: recording.scenario, nodes: Object.fromEntries(nodes) };
  });
  out(`${JSON.stringify(reports, undefined, 2)}\n`);
  return same;
}

function namesOf(
  file: string,
  recording: Recording,
  { node, expect }: ReplayFlags,
): readonly string[] {
  const known = Object.keys(expect === true ? (recording.expect ?? {}) : recording.nodes);
  if (node === undefined && known.length > 0) return known;
  if (node !== undefined && known.includes(node)) return [node];
  const what = expect === true ? "expects nothing of" : "has no";
  throw new ReplayError(`${file} ${what} ${node === undefined ? "any node" : `node ${node}`}`);
}

export function verdictText(title: string, { problems, deliberate }: Verdict): string {
  const count = problems.length === 1 ? "1 difference" : `${problems.length} differences`;
  const end = problems.length === 0 ? "as recorded" : count;
  return [
    `${title}: ${end}`,
    ...deliberate.map(({ name, detail }) => `  ~ ${name}: ${detail}`),
    ...problems.map((problem) => `  ${problem}`),
    "",
  ].join("\n");
}
