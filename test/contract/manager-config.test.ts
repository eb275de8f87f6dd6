/** The manager's configuration: precedence, refusals that name the key, the sample, the key file. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fromHex, reversed, toHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import {
  ConfigError,
  envName,
  loadConfig,
  OPTIONS,
  type ConfigSources,
} from "@farwatch/manager-service/config";
import { loadManagerSecret } from "@farwatch/manager-service/key-file";
import { CHAIN_HASHES, NETWORKS, type Network } from "@farwatch/manager-service/networks";

const root = path.resolve(import.meta.dirname, "../../..");
const sample = fs.readFileSync(path.join(root, "manager-service/farwatch-manager.sample.toml"));

const BASE = `
network = "regtest"
[tls]
ca = "ca.pem"
cert = "server.pem"
key = "/keys/server-key.pem"
[[nodes]]
name = "alice"
node_key = "02${"11".repeat(32)}"
spki_sha256 = "${"22".repeat(32)}"
[[monitors]]
name = "a"
address = "monitor-a:9912"
monitor_key = "${"33".repeat(32)}"
`;

describe("manager configuration", () => {
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-config-"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  const load = (toml: string, sources: Omit<ConfigSources, "file"> = {}) => {
    const file = path.join(folder, "manager.toml");
    fs.writeFileSync(file, toml);
    return loadConfig({ file, ...sources });
  };
  const keyRefused = (toml: string, sources: Omit<ConfigSources, "file"> = {}): string => {
    try {
      load(toml, sources);
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      assert.ok(error.message.startsWith(`${error.key}: `));
      return error.key;
    }
    return assert.fail("accepted");
  };

  it("fills in defaults, and makes paths of the file relative to it", () => {
    const config = load(BASE);
    assert.equal(config.listen, "127.0.0.1:9913");
    assert.equal(config.dataDir, path.join(os.homedir(), ".farwatch-manager/regtest"));
    assert.equal(config.keyFile, path.join(config.dataDir, "manager.key"));
    assert.equal(config.createKeys, false);
    assert.equal(config.curve, "auto");
    assert.equal(config.logLevel, "info");
    assert.equal(config.chainHash, CHAIN_HASHES.regtest);
    const tls = {
      ca: path.join(folder, "ca.pem"),
      cert: path.join(folder, "server.pem"),
      key: "/keys/server-key.pem",
    };
    assert.deepEqual(config.tls, tls);
    assert.deepEqual(config.monitors[0]?.tls, tls);
    assert.equal(config.nodes[0]?.admin, false);
  });

  it("lets flags win over environment over file over defaults", () => {
    const env = { FARWATCH_MANAGER_LISTEN: "127.0.0.1:2", FARWATCH_MANAGER_LOG_LEVEL: "warn" };
    const inFile = `listen = "127.0.0.1:1"\nlog_level = "debug"\ncurve = "noble"\n${BASE}`;
    assert.equal(load(inFile).listen, "127.0.0.1:1");
    assert.equal(load(inFile, { env }).listen, "127.0.0.1:2");
    const all = load(inFile, { env, flags: { listen: "127.0.0.1:3" } });
    assert.equal(all.listen, "127.0.0.1:3");
    assert.equal(all.logLevel, "warn");
    assert.equal(all.curve, "noble");
  });

  it("takes every option from the environment and from a flag", () => {
    const values: Readonly<Record<string, string>> = {
      network: "signet",
      listen: "[::1]:5",
      data_dir: "/data",
      key_file: "/key",
      create_keys: "true",
      curve: "tiny-secp256k1",
      log_level: "error",
      "tls.ca": "/ca",
      "tls.cert": "/cert",
      "tls.key": "/tls-key",
    };
    const env = Object.fromEntries(
      OPTIONS.map((option) => [envName(option), values[option.key]] as const),
    );
    const flags = Object.fromEntries(OPTIONS.map(({ key }) => [key, values[key] ?? ""]));
    const fromEnv = load(BASE, { env });
    assert.deepEqual(load(BASE, { flags }), fromEnv);
    assert.equal(fromEnv.network, "signet");
    assert.equal(fromEnv.listen, "[::1]:5");
    assert.equal(fromEnv.dataDir, "/data");
    assert.equal(fromEnv.keyFile, "/key");
    assert.equal(fromEnv.createKeys, true);
    assert.equal(fromEnv.curve, "tiny-secp256k1");
    assert.equal(fromEnv.logLevel, "error");
    assert.deepEqual(fromEnv.tls, { ca: "/ca", cert: "/cert", key: "/tls-key" });
  });

  describe("refuses to start and names the key", () => {
    const swap = (from: string, to: string): string => {
      assert.ok(BASE.includes(from));
      return BASE.replace(from, to);
    };
    const monitorB = (name: string, key: string): string =>
      `${BASE}[[monitors]]\nname = "${name}"\naddress = "b:1"\nmonitor_key = "${key.repeat(32)}"\n`;
    const cases: readonly (readonly [string, string, string])[] = [
      ["an unknown key", `listn = "x"\n${BASE}`, "listn"],
      ["an unknown key in tls", swap('ca = "ca.pem"', 'ca = "c"\ncaa = "d"'), "tls.caa"],
      [
        "an unknown key of a node",
        swap('name = "alice"', 'name = "alice"\nkey = 1'),
        "nodes.0.key",
      ],
      ["no network", swap('network = "regtest"', ""), "network"],
      ["another network", swap("regtest", "mainnet"), "network"],
      ["no tls", BASE.replace(/\[tls\][^[]*/, ""), "tls"],
      ["no nodes", `nodes = []\n${BASE.replace(/\[\[nodes\]\][^[]*/, "")}`, "nodes"],
      ["no monitors", `monitors = []\n${BASE.replace(/\[\[monitors\]\][^[]*/, "")}`, "monitors"],
      ["a listen without a port", `listen = "localhost"\n${BASE}`, "listen"],
      ["a port out of range", `listen = "localhost:65536"\n${BASE}`, "listen"],
      ["a log level nobody knows", `log_level = "loud"\n${BASE}`, "log_level"],
      ["a curve nobody knows", `curve = "ed25519"\n${BASE}`, "curve"],
      ["a switch that is a word", `create_keys = "yes"\n${BASE}`, "create_keys"],
      ["a short node key", swap("11".repeat(32), "11"), "nodes.0.node_key"],
      ["an uncompressed node key", swap(`"02${"11"}`, `"04${"11"}`), "nodes.0.node_key"],
      ["an upper case digest", swap("22".repeat(32), "AA".repeat(32)), "nodes.0.spki_sha256"],
      ["two monitors of one name", monitorB("a", "44"), "monitors"],
      ["two monitors with one key", monitorB("b", "33"), "monitors"],
      ["a certificate without its key", `${BASE}cert = "x.pem"\n`, "monitors.0.cert"],
      ["text that is no TOML", `${BASE}= 3`, "config"],
    ];
    for (const [what, toml, key] of cases) {
      it(what, () => assert.equal(keyRefused(toml), key));
    }

    it("an environment variable or flag nobody knows, or with a value that cannot be meant", () => {
      const env = (name: string, value: string) => ({ env: { [name]: value } });
      assert.equal(keyRefused(BASE, env("FARWATCH_MANAGER_LISTN", "x")), "FARWATCH_MANAGER_LISTN");
      assert.equal(keyRefused(BASE, env("FARWATCH_MANAGER_CREATE_KEYS", "1")), "create_keys");
      assert.equal(keyRefused(BASE, env("FARWATCH_MANAGER_CURVE", "x")), "curve");
      assert.equal(keyRefused(BASE, { flags: { lissten: "x" } }), "lissten");
      // What an orchestrator sets for a service of this name is no option.
      load(BASE, env("FARWATCH_MANAGER_SERVICE_HOST", "10.0.0.1"));
      load(BASE, env("FARWATCH_MANAGER_PORT", "tcp://10.0.0.1:9913"));
    });

    it("a file that is not there", () => {
      const file = path.join(folder, "none.toml");
      assert.throws(() => loadConfig({ file }), { name: "ConfigError", key: "config" });
      const env = { FARWATCH_MANAGER_CONFIG: file };
      assert.throws(() => loadConfig({ env }), { name: "ConfigError", key: "config" });
    });
  });

  it("has a sample that parses with every option uncommented, and nothing set before", () => {
    const lines = sample.toString("utf8").split("\n");
    assert.ok(lines.every((line) => line === "" || line.startsWith("#")));
    const uncommented = lines
      .filter((line) => /^# (\[|[a-z_0-9]+ = )/.test(line))
      .map((line) => line.slice(2))
      .join("\n");
    const config = load(uncommented);
    assert.equal(config.monitors.length, 2);
    assert.equal(config.listen, OPTIONS.find(({ key }) => key === "listen")?.defaultValue);
    for (const { key } of OPTIONS) {
      const name = key.split(".").at(-1) ?? key;
      assert.match(uncommented, new RegExp(`^${name} = `, "m"), key);
    }
  });

  it("documents each option once, with the defaults that apply", () => {
    assert.equal(new Set(OPTIONS.map(({ key }) => key)).size, OPTIONS.length);
    const config = load(BASE);
    const applied: Readonly<Record<string, unknown>> = {
      listen: config.listen,
      create_keys: config.createKeys,
      curve: config.curve,
      log_level: config.logLevel,
    };
    for (const [key, value] of Object.entries(applied)) {
      assert.equal(OPTIONS.find((option) => option.key === key)?.defaultValue, value, key);
    }
  });

  it("knows each network by the hash of its genesis block", () => {
    const headers: Readonly<Record<Network, readonly [number, number, number]>> = {
      bitcoin: [1231006505, 0x1d00ffff, 2083236893],
      testnet: [1296688602, 0x1d00ffff, 414098458],
      signet: [1598918400, 0x1e0377ae, 52613770],
      regtest: [1296688602, 0x207fffff, 2],
    };
    const merkleRoot = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";
    const sha = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
    for (const network of NETWORKS) {
      const header = Buffer.alloc(80);
      header.writeUInt32LE(1, 0);
      header.set(reversed(fromHex(merkleRoot)), 36);
      for (const [index, value] of headers[network].entries()) {
        header.writeUInt32LE(value, 68 + 4 * index);
      }
      assert.equal(toHex(sha(sha(header))), CHAIN_HASHES[network], network);
    }
  });

  describe("the key file", () => {
    const keyRefusal = { name: "ConfigError", key: "key_file" };
    it("is created only when asked, for its owner alone, and then kept", () => {
      const file = path.join(folder, "new/manager.key");
      assert.throws(() => loadManagerSecret(file, false, nobleCurve), keyRefusal);
      const secret = loadManagerSecret(file, true, nobleCurve);
      assert.equal(fs.statSync(file).mode & 0o777, 0o600);
      assert.deepEqual(loadManagerSecret(file, true, nobleCurve), secret);
      assert.deepEqual(loadManagerSecret(file, false, nobleCurve), secret);
    });
    it("is refused when others can read it, or when it holds no secret", () => {
      const file = path.join(folder, "manager.key");
      const write = (text: string, mode = 0o600): void => {
        fs.rmSync(file, { force: true });
        fs.writeFileSync(file, text, { mode });
        fs.chmodSync(file, mode);
      };
      write("11".repeat(32), 0o640);
      assert.throws(() => loadManagerSecret(file, true, nobleCurve), keyRefusal);
      for (const text of ["", "11".repeat(31), "zz".repeat(32), "00".repeat(32), "ff".repeat(32)]) {
        write(text);
        assert.throws(() => loadManagerSecret(file, true, nobleCurve), keyRefusal);
      }
      write(`${"11".repeat(32)}\n`, 0o400);
      assert.equal(toHex(loadManagerSecret(file, false, nobleCurve)), "11".repeat(32));
    });
  });
});
