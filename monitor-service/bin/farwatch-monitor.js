#!/usr/bin/env node
// Starts the monitor, after the checks that must come before any import of it.
import { problemOf } from "./check-start.js";

const EXIT_CANNOT_RUN = 2;

const main = new URL("../dist/src/main.js", import.meta.url);
const problem = problemOf(process.versions.node, main);
if (problem === undefined) {
  const { runMain } = await import(main.href);
  await runMain(process.argv);
} else {
  process.stderr.write(`farwatch-monitor: ${problem}\n`);
  process.exitCode = EXIT_CANNOT_RUN;
}
