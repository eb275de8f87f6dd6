// Checks on the code that neither compiler nor linter makes: sizes, plain ASCII, no left-over markers,
// no machine paths, every decision record has a status, every relative link in a document leads somewhere,
// and the root holds only what it may.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { linkProblems } from "./links.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const MAX_LINES = 400;
const MAX_BLOB_BYTES = 1024 * 1024;
const ROOT_ENTRIES = new Set([
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "docker-compose.yml",
  "proto",
  "manager-service",
  "monitor-service",
  "test",
]);

const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" })
  .split("\0")
  .filter((file) => file !== "" && fs.existsSync(path.join(root, file)));
const problems = [];
const report = (file, what) => problems.push(`${file}: ${what}`);

for (const file of tracked) {
  const [top] = file.split("/");
  if (!ROOT_ENTRIES.has(top) && !top.startsWith(".")) report(file, "not part of the fixed layout");
  const full = path.join(root, file);
  const { size } = fs.statSync(full);
  if (size > MAX_BLOB_BYTES) report(file, `${size} bytes is too large for the repository`);
  if (!/\.(ts|mjs|cjs|js|proto|md|json|yml|toml|py)$/.test(file)) continue;
  const text = fs.readFileSync(full, "utf8");
  const isData = /(^|\/)vectors\//.test(file) || file === "package-lock.json";
  if (!isData && !/\.(yml|toml)$/.test(file) && /\/(home|root|work|Users)\/[a-z]/.test(text))
    report(file, "a path of one machine");
  if (file.startsWith("proto/gen/") || isData) continue;
  if (/\.(ts|mjs|cjs|js|py)$/.test(file)) {
    const lines = text.split("\n").length - 1;
    if (lines > MAX_LINES) report(file, `${lines} lines, the limit is ${MAX_LINES}`);
  }
  if (/\.(ts|proto)$/.test(file)) {
    // eslint-disable-next-line no-control-regex
    if (/[^\x00-\x7f]/.test(text)) report(file, "a character outside ASCII");
    if (/\b(TODO|FIXME|XXX)\b/.test(text)) report(file, "a left-over marker");
    if (/\b(it|describe)\.(skip|only)\(|\bx(it|describe)\(/.test(text))
      report(file, "a skipped test");
  }
  if (file.endsWith(".md")) for (const problem of linkProblems(full, text)) report(file, problem);
  if (/\/adr\/.*\.md$/.test(file) && !/^Status: /m.test(text))
    report(file, "an ADR without status");
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`tidy: ${tracked.length} files`);
