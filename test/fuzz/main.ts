/**
 * npm run fuzz -- --seconds N [--target T] [--seed S] [--keep] [--replay HEX]
 * Fuzzes all targets, or one, N seconds each, and prints a line for each: seed, inputs, what was found.
 * Exit 1 with the inputs, made as small as they get, when anything was. `--keep` writes what showed
 * something new, and every finding, to corpus/; `--replay` runs one input and prints what it shows.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { fromHex } from "@farwatch/protocol/bytes";
import { corpusOf, distilled, seenName, writeCorpus, type Kept } from "./corpus.js";
import { lineOf, Session, tryInput, type Finding, type Report } from "./session.js";
import { targets, type Target } from "./targets.js";

/** Inputs of one target's corpus, before compression. */
const MOST_CORPUS_BYTES = 400_000;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    target: { type: "string" },
    seed: { type: "string" },
    keep: { type: "boolean", default: false },
    replay: { type: "string" },
  },
});

const chosen = targets().filter(
  ({ name }) => values.target === undefined || values.target === name,
);
if (chosen.length === 0) {
  console.error(
    `no such target; there are: ${targets()
      .map(({ name }) => name)
      .join(", ")}`,
  );
  process.exitCode = 2;
} else if (values.replay !== undefined) {
  for (const target of chosen) console.log(target.name, tryInput(target, fromHex(values.replay)));
} else {
  const findings = chosen.flatMap((target) => fuzz(target));
  for (const finding of findings) console.error(lineOf(finding));
  process.exitCode = findings.length === 0 ? 0 : 1;
}

function fuzz(target: Target): readonly Finding[] {
  const seed = values.seed === undefined ? randomInt(2 ** 32 - 1) : Number(values.seed);
  const corpus = corpusOf(target.name);
  const inputs = corpus.map(({ input }) => input);
  const report = new Session(target, { seconds: Number(values.seconds), seed }, inputs).run();
  console.log(rowOf(report));
  if (values.keep) keep(target, corpus, report);
  return report.findings;
}

function keep(target: Target, corpus: readonly Kept[], { kept, findings }: Report): void {
  const wrong = findings.map(({ what, input }) => ({ name: what.replace(/\W+/g, "-"), input }));
  const seen = kept.map((input) => ({ name: seenName(input), input }));
  const all = distilled(target, [...corpus, ...wrong, ...seen], MOST_CORPUS_BYTES);
  console.log(`  ${all.length} inputs kept, ${writeCorpus(target.name, all)} bytes`);
}

function rowOf({ target, seed, runs, seconds, features, slowestMs, findings }: Report): string {
  const rate = Math.round(runs / seconds);
  const figures = `${runs} inputs, ${rate}/s, slowest ${slowestMs.toFixed(1)} ms`;
  return `${target} --seed ${seed}: ${figures}, ${features} features, ${findings.length} findings`;
}
