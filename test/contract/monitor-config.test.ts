/**
 * The monitor's configuration: precedence, refusals that name the key and never a value, the sample
 * file, the login to bitcoind, and the key files.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parse } from "smol-toml";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import {
  ConfigError,
  loadConfig,
  type ConfigSources,
  type MonitorConfig,
} from "@farwatch/monitor-service/config";
import { loadKeys, loadMonitorSecret, loadSeed } from "@farwatch/monitor-service/config-keys";
import { createLog } from "@farwatch/monitor-service/observe/log";
import { bitcoindLogin } from "@farwatch/monitor-service/config-login";
import { envName, OPTIONS } from "@farwatch/monitor-service/config-options";
import { DEFAULT_MAX_FEERATE } from "@farwatch/monitor-service/monitor/constants";

const SAMPLE = path.resolve(
  import.meta.dirname,
  "../../../monitor-service/farwatch-monitor.sample.toml",
);
const BASE = `network = "regtest"
data_dir = "data"
[tls]
ca = "ca.pem"
cert = "monitor.pem"
key = "monitor-key.pem"
[bitcoind]
url = "http://127.0.0.1:18443"
cookie_file = "cookie"
[[managers]]
name = "alice"
manager_key = "${"aa".repeat(32)}"
spki_sha256 = "${"bb".repeat(32)}"
`;

const OTHER_MANAGER = `[[managers]]
name = "bob"
manager_key = "${"cc".repeat(32)}"
spki_sha256 = "${"dd".repeat(32)}"
`;

const SWEEP_WAIT_KEY = "sweep.every_blocks";
const FEERATE_KEY = "fees.max_feerate_sat_per_vbyte";
const POLL_KEY = "bitcoind.poll_interval_seconds";

describe("monitor configuration", () => {
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-config-"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  const write = (text: string): string => {
    const file = path.join(folder, "monitor.toml");
    fs.writeFileSync(file, text);
    return file;
  };
  const load = (text: string, sources: Omit<ConfigSources, "file"> = {}): MonitorConfig =>
    loadConfig({ ...sources, file: write(text) });
  const refusedKey = (run: () => unknown): string => {
    let key = "";
    assert.throws(run, (error) => {
      assert.ok(error instanceof ConfigError);
      key = error.key;
      return true;
    });
    return key;
  };

  it("fills in defaults and makes paths absolute from the file's folder", () => {
    const config = load(BASE);
    assert.equal(config.listen, "127.0.0.1:9912");
    assert.equal(config.chain, "regtest");
    assert.equal(config.dataDir, path.join(folder, "data"));
    assert.equal(config.keyFile, path.join(folder, "data/monitor.key"));
    assert.equal(config.seedFile, path.join(folder, "data/channel.seed"));
    assert.equal(config.tls.ca, path.join(folder, "ca.pem"));
    assert.equal(config.bitcoind.cookieFile, path.join(folder, "cookie"));
    assert.equal(config.bitcoind.pollIntervalMs, 5_000);
    assert.equal(config.createKeys, false);
    assert.equal(config.managers[0]?.admin, false);
  });

  it("puts flags over environment over file", () => {
    const file = `listen = "127.0.0.1:1"\nlog_level = "debug"\ncurve = "noble"\n${BASE}`;
    const env = { FARWATCH_MONITOR_LISTEN: "127.0.0.1:2", FARWATCH_MONITOR_LOG_LEVEL: "warn" };
    const config = load(file, { env, flags: { listen: "127.0.0.1:3" } });
    assert.equal(config.listen, "127.0.0.1:3");
    assert.equal(config.logLevel, "warn");
    assert.equal(config.curve, "noble");
  });

  it("takes tables' keys and numbers from the environment", () => {
    const env = {
      FARWATCH_MONITOR_BITCOIND_URL: "http://bitcoind:18443",
      FARWATCH_MONITOR_BITCOIND_ZMQ_HASHBLOCK: "tcp://bitcoind:28332",
      FARWATCH_MONITOR_BITCOIND_POLL_INTERVAL_SECONDS: "0.5",
      FARWATCH_MONITOR_CREATE_KEYS: "true",
    };
    const { bitcoind, createKeys } = load(BASE, { env });
    assert.equal(bitcoind.url, "http://bitcoind:18443");
    assert.equal(bitcoind.zmqHashblock, "tcp://bitcoind:28332");
    assert.equal(bitcoind.pollIntervalMs, 500);
    assert.equal(createKeys, true);
  });

  it("ignores what an orchestrator announces of a service of this name", () => {
    const env = {
      FARWATCH_MONITOR_PORT: "tcp://10.0.0.1:9912",
      FARWATCH_MONITOR_SERVICE_HOST: "x",
    };
    assert.doesNotThrow(() => load(BASE, { env }));
  });

  const inFees = (limit: number): string => `${BASE}[fees]\nmax_feerate_sat_per_vbyte = ${limit}\n`;
  const inSweep = (lines: string): string => `${BASE}[sweep]\n${lines}\n`;
  const inBitcoind = (line: string): string => BASE.replace("[bitcoind]", `[bitcoind]\n${line}`);
  const refused: readonly (readonly [why: string, text: string, key: string])[] = [
    ["an unknown key", `lisen = "127.0.0.1:1"\n${BASE}`, "lisen"],
    ["an unknown key in a table", inBitcoind('uri = "x"'), "bitcoind.uri"],
    ["an unknown key in a manager", `${BASE}amdin = true\n`, "managers.0.amdin"],
    ["an unknown network", BASE.replace("regtest", "mainnet"), "network"],
    ["no network", BASE.replace(/^network.*\n/, ""), "network"],
    ["a listen address without a port", `listen = "localhost"\n${BASE}`, "listen"],
    ["a port above 65535", `listen = "localhost:65536"\n${BASE}`, "listen"],
    ["a short manager key", BASE.replace("aa".repeat(32), "aa"), "managers.0.manager_key"],
    ["a login in the URL", BASE.replace("http://", "http://u:p@"), "bitcoind.url"],
    ["no login", BASE.replace(/cookie_file.*\n/, ""), "bitcoind.cookie_file"],
    ["a user without a password", inBitcoind('user = "u"'), "bitcoind.user"],
    [
      "two passwords",
      inBitcoind('user = "u"\npassword = "p"\npassword_file = "f"'),
      "bitcoind.password",
    ],
    ["polling too often", inBitcoind("poll_interval_seconds = 0.09"), POLL_KEY],
    ["polling too seldom", inBitcoind("poll_interval_seconds = 60.1"), POLL_KEY],
    ["too low a limit of feerates", inFees(9.9), FEERATE_KEY],
    ["too high a limit of feerates", inFees(10_001), FEERATE_KEY],
    ["an unknown key of fees", `${BASE}[fees]\nmax = 1\n`, "fees.max"],
    ["two places to sweep to", inSweep('address = "a"\ndescriptor = "d"'), "sweep.address"],
    ["sweeps that wait for ever", inSweep('address = "a"\nevery_blocks = 1009'), SWEEP_WAIT_KEY],
    ["sweeps that do not wait at all", inSweep('address = "a"\nevery_blocks = 0'), SWEEP_WAIT_KEY],
    ["a sweep of several managers' money", inSweep('address = "a"') + OTHER_MANAGER, "sweep"],
    ["no manager", BASE.replace(/\[\[managers\]\][^]*/, ""), "managers"],
    ["a manager twice", BASE + BASE.slice(BASE.indexOf("[[managers]]")), "managers"],
  ];
  for (const [why, text, key] of refused) {
    it(`refuses ${why} and names the key`, () => {
      assert.equal(
        refusedKey(() => load(text)),
        key,
      );
    });
  }

  it("takes the poll interval at both edges", () => {
    assert.equal(load(inBitcoind("poll_interval_seconds = 0.1")).bitcoind.pollIntervalMs, 100);
    assert.equal(load(inBitcoind("poll_interval_seconds = 60")).bitcoind.pollIntervalMs, 60_000);
  });

  it("takes the limit of feerates at both edges, by default what the claim engine takes", () => {
    assert.equal(load(inFees(10)).maxFeerate, 2_500);
    assert.equal(load(inFees(10_000)).maxFeerate, 2_500_000);
    assert.equal(load(BASE).maxFeerate, DEFAULT_MAX_FEERATE);
    const env = { FARWATCH_MONITOR_FEES_MAX_FEERATE_SAT_PER_VBYTE: "12.5" };
    assert.equal(load(BASE, { env }).maxFeerate, 3_125);
  });

  it("sweeps only where that is said, at both edges of the wait", () => {
    assert.equal(load(BASE).sweep, undefined);
    assert.equal(load(inSweep("every_blocks = 5")).sweep, undefined);
    const destination = { kind: "address", address: "a" };
    assert.deepEqual(load(inSweep('address = "a"')).sweep, { destination, everyBlocks: 144 });
    for (const everyBlocks of [1, 1_008]) {
      const { sweep } = load(inSweep(`descriptor = "d"\nevery_blocks = ${everyBlocks}`));
      assert.deepEqual(sweep, {
        destination: { kind: "descriptor", descriptor: "d" },
        everyBlocks,
      });
    }
    const renewed = OTHER_MANAGER.replace("cc".repeat(32), "aa".repeat(32));
    assert.doesNotThrow(() => load(inSweep('address = "a"') + renewed), "one manager, renewing");
  });

  it("refuses an unknown variable, a word for a switch and a word for a number", () => {
    const withEnv = (env: Record<string, string>) => refusedKey(() => load(BASE, { env }));
    assert.equal(withEnv({ FARWATCH_MONITOR_LISEN: "x" }), "FARWATCH_MONITOR_LISEN");
    assert.equal(withEnv({ FARWATCH_MONITOR_CREATE_KEYS: "yes" }), "create_keys");
    assert.equal(withEnv({ FARWATCH_MONITOR_BITCOIND_POLL_INTERVAL_SECONDS: "1s" }), POLL_KEY);
  });

  it("shows no line of a file that is not TOML", () => {
    const file = write('[bitcoind]\npassword = "hunter2\n');
    assert.throws(
      () => loadConfig({ file }),
      (error) => error instanceof ConfigError && !String(error.stack).includes("hunter2"),
    );
  });

  it("has a sample with every key, each a comment, that parses and is accepted", () => {
    const sample = fs.readFileSync(SAMPLE, "utf8");
    assert.deepEqual(Object.keys(parse(sample)), [], "every key is commented");
    const text = sample.replace(/^# (?=\[|[a-z_0-9]+ = )/gm, "");
    const config = load(text.replace(/^(?:password|descriptor) = .*\n/gm, ""));
    assert.equal(config.listen, "127.0.0.1:9912");
    for (const { key } of OPTIONS) {
      const last = key.split(".").at(-1) ?? "";
      assert.match(text, new RegExp(`^${last} = `, "m"), key);
    }
  });

  it("asks a wallet only when one is named", () => {
    assert.equal(load(BASE).bitcoind.wallet, undefined);
    assert.equal(load(inBitcoind('wallet = "fees"')).bitcoind.wallet, "fees");
    assert.equal(
      refusedKey(() => load(inBitcoind('wallet = ""'))),
      "bitcoind.wallet",
    );
  });

  it("pays from the wallet that is named, from the managers', or not at all", () => {
    const inFees = (wallet: string): string => `[fees]\nwallet = "${wallet}"\n`;
    assert.equal(load(BASE).feeWallet, "none");
    assert.equal(load(inBitcoind('wallet = "fees"')).feeWallet, "bitcoind");
    assert.equal(load(BASE + inFees("events")).feeWallet, "events");
    assert.equal(load(BASE + inFees("none")).feeWallet, "none");
    assert.equal(load(inBitcoind('wallet = "fees"') + inFees("bitcoind")).feeWallet, "bitcoind");
    for (const bad of [
      BASE + inFees("bitcoind"),
      BASE + inFees("mine"),
      inBitcoind('wallet = "fees"') + inFees("events"),
      inBitcoind('wallet = "fees"') + inFees("none"),
    ]) {
      assert.equal(
        refusedKey(() => load(bad)),
        "fees.wallet",
      );
    }
  });

  it("documents every option with help and why, under distinct names", () => {
    for (const { key, help, why } of OPTIONS) assert.ok(help !== "" && why !== "", key);
    assert.equal(new Set(OPTIONS.map(envName)).size, OPTIONS.length);
    const secret = OPTIONS.find(({ key }) => key === "bitcoind.password");
    assert.equal(secret?.flag, undefined);
  });

  it("logs in by cookie first, and warns when a user is given too", () => {
    const both = bitcoindLogin(load(inBitcoind('user = "u"\npassword = "hunter2"')).bitcoind);
    assert.deepEqual(both.auth, { kind: "cookie", path: path.join(folder, "cookie") });
    assert.match(both.warning ?? "", /cookie_file and user/);
    assert.doesNotMatch(both.warning ?? "", /hunter2/);
    assert.equal(bitcoindLogin(load(BASE).bitcoind).warning, undefined);
  });

  it("reads the password from its file", () => {
    const noCookie = inBitcoind('user = "u"\npassword_file = "pw"').replace(/cookie_file.*\n/, "");
    fs.writeFileSync(path.join(folder, "pw"), "hunter2\n");
    const login = () => bitcoindLogin(load(noCookie).bitcoind);
    assert.deepEqual(login().auth, { kind: "password", user: "u", password: "hunter2" });
    fs.writeFileSync(path.join(folder, "pw"), "\n");
    assert.equal(refusedKey(login), "bitcoind.password_file");
    fs.rmSync(path.join(folder, "pw"));
    assert.equal(refusedKey(login), "bitcoind.password_file");
  });

  it("creates a key only when asked, for the owner only, and reads it again", () => {
    const file = path.join(folder, "new/monitor.key");
    assert.equal(
      refusedKey(() => loadMonitorSecret(file, false, nobleCurve)),
      "key_file",
    );
    assert.ok(!fs.existsSync(file));
    const secret = loadMonitorSecret(file, true, nobleCurve);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(loadMonitorSecret(file, true, nobleCurve), secret);
    fs.chmodSync(file, 0o640);
    assert.equal(
      refusedKey(() => loadMonitorSecret(file, true, nobleCurve)),
      "key_file",
    );
  });

  it("refuses a key that is no secret and a seed that is missing, without showing either", () => {
    const file = path.join(folder, "zero.key");
    fs.writeFileSync(file, "00".repeat(32), { mode: 0o600 });
    assert.equal(
      refusedKey(() => loadMonitorSecret(file, true, nobleCurve)),
      "key_file",
    );
    assert.equal(
      refusedKey(() =>
        loadSeed({
          seedFile: path.join(folder, "none"),
          keyStore: file,
          passphraseFile: undefined,
        }),
      ),
      "seed_file",
    );
  });

  it("opens a host without channel keys only where there are none", () => {
    const seedFile = path.join(folder, "some.seed");
    const none = { noChannelKeys: true, keyStore: path.join(folder, "none.keys") };
    const common = { ...none, passphraseFile: undefined };
    const log = createLog("silent");
    const keys = loadKeys({ ...common, seedFile }, nobleCurve, log);
    assert.equal(keys.secretsOf(new Uint8Array(32)), undefined);
    fs.writeFileSync(seedFile, "11".repeat(32), { mode: 0o600 });
    assert.equal(
      refusedKey(() => loadKeys({ ...common, seedFile }, nobleCurve, log)),
      "no_channel_keys",
    );
  });
});
