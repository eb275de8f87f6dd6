// Generates proto/gen from proto/**/*.proto with protoc and ts-proto (both from npm).
// `--check` generates into a temporary folder and fails when the committed files differ.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const protoDir = path.join(root, "proto");
const check = process.argv.includes("--check");
const out = check
  ? fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-gen-"))
  : path.join(protoDir, "gen");

const walk = (dir, suffix) =>
  fs
    .readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(suffix))
    .sort();

const sources = ["monitor", "manager"].flatMap((pkg) =>
  walk(path.join(protoDir, pkg), ".proto").map((file) => path.posix.join(pkg, file)),
);
const options = [
  "env=node",
  "esModuleInterop=true",
  "outputServices=grpc-js",
  "forceLong=bigint",
  "oneof=unions-value",
  "useExactTypes=false",
  "importSuffix=.js",
  "unrecognizedEnum=false",
  "removeEnumPrefix=true",
  "exportCommonSymbols=false",
  "outputJsonMethods=false",
  "useReadonlyTypes=true",
  "lowerCaseServiceMethods=true",
];
if (!check) fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
execFileSync(
  path.join(root, "node_modules/.bin/protoc"),
  [
    `-I${protoDir}`,
    `--plugin=protoc-gen-ts_proto=${path.join(root, "node_modules/.bin/protoc-gen-ts_proto")}`,
    `--ts_proto_out=${out}`,
    `--ts_proto_opt=${options.join(",")}`,
    ...sources,
  ],
  { cwd: protoDir, stdio: "inherit" },
);

// grpc-js' Client has a method getChannel() of its own (the connection); our RPC of that name wins.
for (const file of walk(out, ".ts")) {
  const full = path.join(out, file);
  const text = fs.readFileSync(full, "utf8");
  const fixed = text.replace(
    /(interface \w+Client extends )Client \{/g,
    '$1Omit<Client, "getChannel"> {',
  );
  if (fixed !== text) fs.writeFileSync(full, fixed);
}

if (check) {
  const committed = path.join(protoDir, "gen");
  const files = new Set([...walk(out, ".ts"), ...walk(committed, ".ts")]);
  const read = (dir, file) => {
    const full = path.join(dir, file);
    return fs.existsSync(full) ? fs.readFileSync(full, "utf8") : undefined;
  };
  const differing = [...files].filter((file) => read(out, file) !== read(committed, file));
  fs.rmSync(out, { recursive: true, force: true });
  if (differing.length > 0) {
    console.error(`proto/gen is out of date (run: npm run gen): ${differing.join(", ")}`);
    process.exit(1);
  }
  console.log(`proto/gen is up to date (${files.size} files)`);
}
