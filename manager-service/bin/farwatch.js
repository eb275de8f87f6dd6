#!/usr/bin/env node
// Starts the tools after two checks that must come before any import: an old Node fails inside a
// dependency with a message that helps nobody, and a missing build fails as an unknown module.
import { existsSync } from "node:fs";

const MIN_MAJOR = 22;
const MIN_MINOR = 12;
const EXIT_CANNOT_RUN = 2;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const main = new URL("../dist/src/cli/main.js", import.meta.url);
let problem;
if (major < MIN_MAJOR || (major === MIN_MAJOR && minor < MIN_MINOR)) {
  problem = `Node ${MIN_MAJOR}.${MIN_MINOR} or newer is needed; this is ${process.versions.node}`;
} else if (!existsSync(main)) {
  problem = 'not built yet: run "npm run build"';
}

if (problem === undefined) {
  const { run } = await import(main.href);
  await run(process.argv);
} else {
  process.stderr.write(`farwatch: ${problem}\n`);
  process.exitCode = EXIT_CANNOT_RUN;
}
