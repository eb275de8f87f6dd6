/** The manager as a process: the committed stub, exit codes, health, an orderly stop, a second start. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { must } from "@farwatch/protocol/assert";
import type { GetInfoResponse } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { z } from "zod";
import {
  Bench,
  call,
  createCertificates,
  NODE_KEY,
  type Certificates,
} from "./manager-rpc-bench.js";

const root = path.resolve(import.meta.dirname, "../../..");
const bin = path.join(root, "manager-service/bin/farwatch-manager.js");
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("FARWATCH_")),
);
const Listening = z.object({ msg: z.literal("listening"), port: z.number(), epoch: z.string() });

describe("manager process", () => {
  let certificates: Certificates;
  let folder: string;
  const children: ChildProcess[] = [];
  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-manager-"));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    fs.rmSync(folder, { recursive: true });
  });

  /** A complete configuration; the monitor's address leads nowhere. */
  function configFile(lines: string, name = "manager.toml"): string {
    const { authority, server, node } = certificates;
    const file = path.join(folder, name);
    fs.writeFileSync(
      file,
      `network = "regtest"
data_dir = "data"
${lines}
[tls]
ca = "${authority.caFile}"
cert = "${server.certFile}"
key = "${server.keyFile}"
[[nodes]]
name = "alice"
node_key = "${NODE_KEY}"
spki_sha256 = "${node.spkiSha256}"
[[monitors]]
name = "a"
address = "localhost:1"
monitor_key = "${"33".repeat(32)}"
`,
    );
    return file;
  }
  const runToEnd = (args: readonly string[], nodeArgs: readonly string[] = [], script = bin) =>
    spawnSync(process.execPath, [...nodeArgs, script, ...args], {
      encoding: "utf8",
      env: environment,
      timeout: 30_000,
    });
  /** Without blocking this process, which may be the one that is asked. */
  async function exitOf(args: readonly string[]): Promise<number | null> {
    const child = spawn(process.execPath, [bin, ...args], { env: environment, stdio: "ignore" });
    await once(child, "exit");
    return child.exitCode;
  }

  describe("the committed stub", () => {
    it("is executable and refuses a Node that is too old before it imports anything", () => {
      assert.equal(fs.statSync(bin).mode & 0o111, 0o111);
      const pretend = (version: string) =>
        runToEnd(
          ["--version"],
          [
            "--import",
            `data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"${version}"}})`,
          ],
        );
      for (const version of ["18.20.4", "22.11.0"]) {
        const run = pretend(version);
        assert.equal(run.status, 2, version);
        assert.match(run.stderr, /Node 22\.12 or newer is needed/);
      }
      assert.equal(pretend("22.12.0").status, 0);
    });

    it("says what to run when there is no build", () => {
      fs.mkdirSync(path.join(folder, "bin"));
      fs.writeFileSync(path.join(folder, "package.json"), '{"type":"module"}');
      const copy = path.join(folder, "bin/farwatch-manager.js");
      fs.copyFileSync(bin, copy);
      const run = runToEnd([], [], copy);
      assert.equal(run.status, 2);
      assert.match(run.stderr, /npm run build/);
    });
  });

  it("exits with 2 and the key's name on a configuration or usage that cannot be meant", () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["--config", configFile("lissten = 1", "typo.toml")], /lissten: no such option/],
      [["--config", configFile(""), "--curve", "x"], /curve: /],
      [["--config", configFile("")], /key_file: .*create_keys is off/],
      [["--config", path.join(folder, "none")], /config: cannot read/],
      [["--config", configFile(""), "--tls-key", certificates.node.keyFile], /tls\.key: /],
      [["--config", configFile(""), "--tls-ca", bin], /tls\.ca: .*not a PEM certificate/],
      [["--lissten", "x"], /unknown option '--lissten'/],
    ];
    for (const [args, expected] of cases) {
      const run = runToEnd(args);
      assert.match(run.stderr, expected);
      assert.equal(run.status, 2, args.join(" "));
    }
  });

  it("tells version and help, which names every flag", () => {
    const version = runToEnd(["--version"]);
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
    const help = runToEnd(["--help"]);
    assert.equal(help.status, 0);
    for (const flag of ["--config", "--network", "--data-dir", "--create-keys", "--tls-cert"]) {
      assert.ok(help.stdout.includes(flag), flag);
    }
  });

  it("answers `health` by its exit code", async () => {
    const bench = new Bench(certificates);
    const server = await bench.serve({});
    const args = ["health", "--config", configFile(`listen = "0.0.0.0:${server.port}"`)];
    assert.equal(await exitOf(args), 0);
    await bench.close();
    assert.equal(await exitOf(args), 1);
  });

  async function start(file: string) {
    const child = spawn(process.execPath, [bin, "--config", file], {
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    for await (const line of readline.createInterface({ input: must(child.stdout, "piped") })) {
      const listening = Listening.safeParse(JSON.parse(line));
      if (listening.success) return { child, ...listening.data };
    }
    throw new Error("ended before it was listening");
  }

  it("creates its key, listens, stops in order on SIGTERM, and raises its epoch", async () => {
    const file = configFile('listen = "127.0.0.1:0"\ncreate_keys = true');
    const bench = new Bench(certificates);
    const epochs: bigint[] = [];
    const keys: string[] = [];
    for (let round = 0; round < 2; round++) {
      const { child, port } = await start(file);
      const client = bench.client({ port, stop: () => Promise.resolve() });
      const info = await call<GetInfoResponse>((done) => client.getInfo({}, done));
      epochs.push(info.epoch);
      keys.push(info.managerKey.toString("hex"));
      child.kill("SIGTERM");
      await once(child, "exit");
      assert.equal(child.exitCode, 0);
    }
    await bench.close();
    assert.equal(keys[0], keys[1]);
    assert.equal(must(epochs[1], "second"), must(epochs[0], "first") + 1n);
    assert.equal(fs.statSync(path.join(folder, "data/manager.key")).mode & 0o777, 0o600);
  });

  it("exits with 1 when it cannot listen, and leaves nothing running", async () => {
    const bench = new Bench(certificates);
    const { port } = await bench.serve({});
    const file = configFile(`listen = "127.0.0.1:${port}"\ncreate_keys = true`);
    assert.equal(await exitOf(["--config", file]), 1);
    await bench.close();
  });
});
