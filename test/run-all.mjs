// Runs the test suites and ends with one plain line: "N passed, M failed", summed over everything that
// ran. A skipped or focused test fails its suite; a suite in which nothing ran fails too.
//   node test/run-all.mjs            everything
//   node test/run-all.mjs unit e2e   only these (unit, scenarios, e2e, ldk)
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const SUITES = {
  unit: {
    timeoutMs: 60_000,
    files: [
      "proto/dist/src/**/*.test.js",
      "monitor-service/dist/src/**/*.test.js",
      "manager-service/dist/src/**/*.test.js",
      "test/dist/harness/**/*.test.js",
      "test/dist/contract/**/*.test.js",
      "test/dist/fixture-recorder/**/*.test.js",
      "test/dist/fuzz/**/*.test.js",
      "test/dist/scenarios/**/*.test.js",
    ],
  },
  scenarios: { timeoutMs: 900_000, files: ["test/dist/scenarios/**/*.sweep.js"] },
  e2e: { timeoutMs: 300_000, files: ["test/dist/e2e/**/*.e2e.js"] },
  ldk: { timeoutMs: 300_000, files: ["test/dist/ldk/**/*.ldk.js"] },
};

const wanted = process.argv.slice(2).filter((name) => name in SUITES);
const names = wanted.length > 0 ? wanted : Object.keys(SUITES);
let passed = 0;
let failed = 0;
for (const name of names) {
  const suite = SUITES[name];
  const statsFile = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-tests-")), "stats");
  const run = spawnSync(
    process.execPath,
    [
      "--enable-source-maps",
      path.join(root, "node_modules/mocha/bin/mocha.js"),
      "--reporter",
      path.join(root, "test/tidy/count-reporter.cjs"),
      "--timeout",
      String(suite.timeoutMs),
      "--forbid-only",
      "--forbid-pending",
      "--exit",
      ...suite.files,
    ],
    { cwd: root, stdio: "inherit", env: { ...process.env, FARWATCH_TEST_STATS: statsFile } },
  );
  const stats = fs.existsSync(statsFile)
    ? JSON.parse(fs.readFileSync(statsFile, "utf8"))
    : { passes: 0, failures: 1 };
  fs.rmSync(path.dirname(statsFile), { recursive: true, force: true });
  passed += stats.passes;
  failed += stats.failures;
  // A suite that died, or in which nothing ran, is a failure even when no test says so.
  if ((run.status !== 0 && stats.failures === 0) || stats.passes === 0) failed += 1;
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
