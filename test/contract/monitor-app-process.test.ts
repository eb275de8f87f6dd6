/**
 * The monitor as a process, started through its committed bin: exit codes, signals, the health command,
 * one process per store, and the checks before the first import.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { must } from "@farwatch/protocol/assert";
import { freePort } from "../harness/bitcoind/ports.js";
import { ServiceProcess } from "../harness/cluster/service-process.js";
import { monitorFiles, type MonitorFiles } from "./monitor-app-setup.js";

const BIN_FOLDER = path.resolve(import.meta.dirname, "../../../monitor-service/bin");
const BIN = path.join(BIN_FOLDER, "farwatch-monitor.js");
const MANAGER_KEY = "aa".repeat(32);

/** bin/check-start.js */
interface StartCheck {
  problemOf(nodeVersion: string, main: URL): string | undefined;
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
const runBin = (args: readonly string[], script = BIN): Ended =>
  spawnSync(process.execPath, [script, ...args], { encoding: "utf8", timeout: 20_000 });

describe("monitor process", () => {
  let files: MonitorFiles;
  let service: ServiceProcess;
  let port: number;
  before(async () => {
    port = await freePort();
    files = await monitorFiles(`http://127.0.0.1:${await freePort()}`, MANAGER_KEY, port);
    const args = ["--config", files.configFile];
    service = new ServiceProcess({ name: "monitor", script: BIN, args });
    await service.start();
  });
  after(async () => {
    await service.stop();
    files.remove();
  });

  it("serves over mutual TLS, with one line that tells its port", async () => {
    const client = files.client(port);
    const { version, chainState } = await client.info();
    client.close();
    assert.match(version, /^\d+\.\d+\.\d+$/);
    assert.equal(chainState, "unavailable");
    const lines = service.log.map((line): Record<string, unknown> => JSON.parse(line));
    const listening = lines.filter(({ msg }) => msg === "listening");
    assert.deepEqual(
      listening.map((line) => line["port"]),
      [port],
    );
  });

  it("is healthy for the health command, which finds the configuration by flag", () => {
    const { status, stdout, stderr } = runBin(["health", "--config", files.configFile]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "SERVING\n");
    assert.equal(stderr, "");
  });

  it("holds no channel keys when the flag says so, and only then", () => {
    const without = runBin(["run", "--config", files.configFile, "--no-channel-keys"]);
    assert.equal(without.status, 2);
    assert.match(without.stderr, /no_channel_keys: .* exists/);
  });

  it("is refused by the store when a second process wants the same data folder", () => {
    const again = runBin(["run", "--config", files.configFile, "--listen", "127.0.0.1:0"]);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /store is locked/);
  });

  it("stops in order on SIGTERM, after which the health command says no", async () => {
    process.kill(service.pid, "SIGTERM");
    await service.exited();
    assert.match(must(service.log.at(-1), "a last line"), /"msg":"stopped"/);
    assert.equal(runBin(["health", "--config", files.configFile]).status, 1);
    await service.start();
    assert.equal(await files.health(port, ""), "SERVING");
  });
});

describe("monitor command line", () => {
  const configWith = (line: string): string => {
    const folder = fs.mkdtempSync(path.join(import.meta.dirname, "config-"));
    folders.push(folder);
    const file = path.join(folder, "monitor.toml");
    fs.writeFileSync(file, `${line}\n`);
    return file;
  };
  const folders: string[] = [];
  after(() => {
    for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
  });

  it("exits with 2 and names the key of a configuration that cannot be meant", () => {
    const unknown = runBin(["--config", configWith('lisen = "x"')]);
    assert.equal(unknown.status, 2);
    assert.match(unknown.stderr, /farwatch-monitor: lisen: no such option/);
    const bad = runBin(["--config", configWith('network = "regtest"'), "--listen", "nowhere"]);
    assert.equal(bad.status, 2);
    assert.match(bad.stderr, /listen: expected host:port/);
  });

  it("replays a recording of LDK without a configuration", () => {
    const recordings = path.resolve(import.meta.dirname, "../../vectors/ldk-fixtures");
    const file = path.join(recordings, "coop_close.static_remotekey.json");
    const same = runBin(["replay", file, "--expect"]);
    assert.equal(same.status, 0, same.stderr);
    assert.match(same.stderr, /A: as recorded\n.* B: as recorded\n/);
    const none = runBin(["replay", file, "--node", "Z"]);
    assert.equal(none.status, 1);
    assert.match(none.stderr, /^farwatch-monitor: .* has no node Z\n$/);
    assert.equal(runBin(["replay"]).status, 2);
  });

  it("exits with 2 for a flag it does not know, and with 0 for --help and --version", () => {
    assert.equal(runBin(["run", "--lisen", "x"]).status, 2);
    assert.equal(runBin(["--help"]).status, 0);
    assert.match(runBin(["--version"]).stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it("tells an operator to build when dist is missing", () => {
    const copy = fs.mkdtempSync(path.join(import.meta.dirname, "unbuilt-"));
    folders.push(copy);
    fs.cpSync(BIN_FOLDER, path.join(copy, "bin"), { recursive: true });
    fs.writeFileSync(path.join(copy, "package.json"), '{"type":"module"}');
    const unbuilt = runBin([], path.join(copy, "bin/farwatch-monitor.js"));
    assert.equal(unbuilt.status, 2);
    assert.match(unbuilt.stderr, /npm run build/);
  });

  it("refuses a Node older than 22.12 before anything else", async () => {
    const file = pathToFileURL(path.join(BIN_FOLDER, "check-start.js"));
    const { problemOf }: StartCheck = await import(file.href);
    const built = pathToFileURL(BIN);
    for (const old of ["20.19.5", "22.11.0", "18.0.0"]) {
      assert.match(problemOf(old, built) ?? "", /Node 22\.12 or newer is needed; this is/, old);
    }
    for (const fine of ["22.12.0", "22.13.1", "24.0.0"]) {
      assert.equal(problemOf(fine, built), undefined, fine);
    }
  });
});
