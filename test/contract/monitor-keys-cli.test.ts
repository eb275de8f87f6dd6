/**
 * `farwatch-monitor keys` as an operator runs it: secrets go in sealed, nothing secret comes out, and
 * what is wrong is said plainly. The last test starts the monitor itself from what the commands made.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { loadKeys } from "@farwatch/monitor-service/config-keys";
import { loadConfig } from "@farwatch/monitor-service/config";
import { createLog } from "@farwatch/monitor-service/observe/log";
import { monitorFiles, type MonitorFiles } from "./monitor-app-setup.js";

const BIN = path.resolve(import.meta.dirname, "../../../monitor-service/bin/farwatch-monitor.js");
const hex = (byte: string): string => byte.repeat(32);
const ROW = {
  channel_keys_id: hex("c1"),
  funding_secret: hex("d1"),
  revocation_base_secret: hex("d2"),
  payment_secret: hex("d3"),
  delayed_payment_base_secret: hex("d4"),
  htlc_base_secret: hex("d5"),
};
const PUBLIC = {
  channel_keys_id: hex("c1"),
  funding_pubkey: toHex(nobleCurve.publicKey(fromHex(hex("d1")))),
  revocation_basepoint: toHex(nobleCurve.publicKey(fromHex(hex("d2")))),
  payment_point: toHex(nobleCurve.publicKey(fromHex(hex("d3")))),
  delayed_payment_basepoint: toHex(nobleCurve.publicKey(fromHex(hex("d4")))),
  htlc_basepoint: toHex(nobleCurve.publicKey(fromHex(hex("d5")))),
};

describe("monitor key commands", function () {
  this.timeout(120_000);
  let files: MonitorFiles;
  let passphrase: string;
  let seed: string;
  before(async () => {
    files = await monitorFiles("http://127.0.0.1:1", "aa".repeat(32));
    passphrase = path.join(files.folder, "passphrase");
    fs.writeFileSync(passphrase, "correct horse battery\n", { mode: 0o600 });
    seed = path.join(files.folder, "data", "channel.seed");
  });
  after(() => files.remove());

  const keys = (args: readonly string[], input = "", secretFile = passphrase) => {
    const options = ["--config", files.configFile, "--passphrase-file", secretFile];
    const all = [BIN, "keys", ...args, ...options];
    const ended = spawnSync(process.execPath, all, { encoding: "utf8", timeout: 60_000, input });
    assert.ok(!/(?:d[1-5]){4}/.test(ended.stdout + ended.stderr), "no secret is printed");
    return ended;
  };
  const written = (content: string, mode = 0o600): string => {
    const file = path.join(files.folder, "import.json");
    fs.rmSync(file, { force: true });
    fs.writeFileSync(file, content);
    fs.chmodSync(file, mode);
    return file;
  };
  const sources = () => {
    const flags = { passphrase_file: passphrase };
    const config = loadConfig({ file: files.configFile, flags });
    return loadKeys(config, nobleCurve, createLog("silent"));
  };

  it("import a file once, show public keys, and say that the file is to be removed", () => {
    const file = written(JSON.stringify({ channels: [ROW] }));
    const first = keys(["import", file]);
    assert.equal(first.status, 0, first.stderr);
    const [line, ...rest] = first.stdout.trim().split("\n");
    assert.deepEqual(JSON.parse(line ?? ""), PUBLIC);
    assert.deepEqual(rest, [
      "1 added, 0 known already",
      `${file} still holds them in clear: remove it`,
    ]);
    const again = keys(["import", file]);
    assert.match(again.stdout, /^0 added, 1 known already\n/);
  });

  it("read a pipe, and list what is held", () => {
    const other = { ...ROW, channel_keys_id: hex("c2") };
    const imported = keys(["import", "-"], JSON.stringify({ channels: [other] }));
    assert.equal(imported.status, 0, imported.stderr);
    assert.ok(!imported.stdout.includes("remove it"));
    const listed = keys(["list"]).stdout.trim().split("\n");
    assert.deepEqual(
      listed.map((line): unknown => JSON.parse(line)),
      [PUBLIC, { ...PUBLIC, channel_keys_id: hex("c2") }],
    );
  });

  it("refuse what others can read, and what cannot be meant, and change nothing then", () => {
    const before = keys(["list"]).stdout;
    const open = keys(["import", written(JSON.stringify({ channels: [ROW] }), 0o644)]);
    assert.equal(open.status, 1);
    assert.match(open.stderr, /import\.json: group or others have access/);
    const bad = keys(["import", written(JSON.stringify({ channels: [{ ...ROW, x: 1 }] }))]);
    assert.equal(bad.status, 1);
    assert.match(bad.stderr, /channels\.0: not understood/);
    const conflict = { ...ROW, payment_secret: hex("d9") };
    const clash = keys(["import", written(JSON.stringify({ channels: [conflict] }))]);
    assert.equal(clash.status, 1);
    assert.match(clash.stderr, /other secrets are stored/);
    assert.equal(keys(["list"]).stdout, before);
  });

  it("say which passphrase is wrong or missing", () => {
    const wrong = path.join(files.folder, "wrong");
    fs.writeFileSync(wrong, "another passphrase", { mode: 0o600 });
    const refused = keys(["list"], "", wrong);
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /farwatch-monitor: key_store: .*channel\.keys: wrong passphrase/);
    const none = keys(["list"], "", path.join(files.folder, "none"));
    assert.equal(none.status, 2);
    assert.match(none.stderr, /passphrase_file: .*none: cannot be read/);
  });

  it("seal the seed in place, once, and the monitor has both afterwards", () => {
    const plain = fs.readFileSync(seed, "utf8");
    const before = sources().secretsOf(fromHex(hex("0e")));
    const sealed = keys(["seal-seed"]);
    assert.equal(sealed.status, 0, sealed.stderr);
    assert.match(sealed.stdout, /channel\.seed is sealed;/);
    assert.ok(!fs.readFileSync(seed).includes(plain.slice(0, 16)));
    assert.equal(fs.statSync(seed).mode & 0o777, 0o600);
    assert.match(keys(["seal-seed"]).stdout, /sealed already/);
    const after = sources();
    assert.deepEqual(after.secretsOf(fromHex(hex("0e"))), before);
    assert.deepEqual(after.secretsOf(fromHex(hex("c1")))?.funding, fromHex(hex("d1")));
  });

  it("leave a monitor that has no seed at all with the channels of the key store", () => {
    fs.rmSync(seed);
    const only = sources();
    assert.equal(only.secretsOf(fromHex(hex("0e"))), undefined);
    assert.deepEqual(only.secretsOf(fromHex(hex("c2")))?.htlcBase, fromHex(hex("d5")));
  });
});
