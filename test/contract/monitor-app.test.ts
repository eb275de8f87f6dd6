/**
 * The whole monitor in this process, over mutual TLS: what it answers while bitcoind is down, how it
 * recovers, what ends it, and what its log never says.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { status } from "@grpc/grpc-js";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { monitorKey, storeId } from "@farwatch/protocol/ids";
import { toHex } from "@farwatch/protocol/bytes";
import {
  ChannelFilter,
  type GetInfoResponse,
  type ListChannelsResponse,
  type OpenSessionResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import {
  createApp,
  EXIT_FATAL,
  readTls,
  type App,
  type AppOverrides,
} from "@farwatch/monitor-service/app";
import { isServing } from "@farwatch/monitor-service/app-health";
import { RESERVE_RETRY_MS } from "@farwatch/monitor-service/app-reserve";
import { pointOf } from "@farwatch/monitor-service/chain/follow-chain";
import type { Clock } from "@farwatch/monitor-service/chain/waker";
import { loadConfig } from "@farwatch/monitor-service/config";
import { createLog } from "@farwatch/monitor-service/observe/log";
import { freePort } from "../harness/bitcoind/ports.js";
import type { MonitorClient } from "../harness/cluster/monitor-client.js";
import { monitorFiles, SwitchedBitcoind, type MonitorFiles } from "./monitor-app-setup.js";
import { TestManager } from "./shell/test-manager.js";

const SERVICE = "farwatch.monitor.v1.MonitorService";
const CHAIN = "farwatch.chain";
/** An address for documentation (RFC 5737): no interface has it. */
const NOT_OURS = "203.0.113.1:1";

describe("monitor app", () => {
  let bitcoind: SwitchedBitcoind;
  let files: MonitorFiles;
  let manager: TestManager;
  let app: App | undefined;
  let client: MonitorClient | undefined;
  let port = 0;
  let lines: string[];

  beforeEach(async () => {
    lines = [];
    manager = new TestManager(nobleCurve);
    bitcoind = await SwitchedBitcoind.start();
    files = await monitorFiles(bitcoind.url, manager.key);
  });
  afterEach(async () => {
    client?.close();
    await app?.stop();
    client = undefined;
    app = undefined;
    await bitcoind.close();
    files.remove();
  });

  const up = async (overrides: AppOverrides = {}): Promise<MonitorClient> => {
    const log = createLog("debug", { write: (line) => void lines.push(line) });
    app = createApp(loadConfig({ file: files.configFile }), { log, ...overrides });
    ({ port } = await app.start());
    client = files.client(port);
    return client;
  };
  const openSession = async (to: MonitorClient): Promise<OpenSessionResponse> => {
    const info = await to.info();
    const { header, signature } = manager.session({
      monitorKey: monitorKey(toHex(info.monitorKey)),
      storeId: storeId(toHex(info.storeId)),
      storeGen: info.storeGen,
      curveBackend: info.curveBackend,
      chainHash: toHex(info.chainHash),
      tip: pointOf(bitcoind.tip),
      chainState: "unavailable",
      channels: 0,
      pendingEvents: 0,
    });
    return to.call((done) =>
      to.rpc.openSession({ header: Buffer.from(header), signature: Buffer.from(signature) }, done),
    );
  };
  const untilHealth = async (name: string, wanted: string): Promise<void> => {
    const deadline = Date.now() + 10_000;
    while ((await files.health(port, name)) !== wanted) {
      assert.ok(Date.now() < deadline, `${name} is ${wanted}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  it("tells what the named wallet holds, and waits for no wallet", async () => {
    const config = fs.readFileSync(files.configFile, "utf8");
    fs.writeFileSync(files.configFile, config.replace("[bitcoind]", '[bitcoind]\nwallet = "fees"'));
    await files.storeWithTip(bitcoind.tip);
    bitcoind.balanceBtc = 0.12345678;
    const asleep: (() => void)[] = [];
    const clock: Clock = {
      now: () => Date.now(),
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve());
          if (ms === RESERVE_RETRY_MS) asleep.push(resolve);
          else setTimeout(resolve, ms).unref();
        }),
    };
    const to = await up({ clock });
    assert.equal((await to.info()).walletConfirmedSat, undefined, "bitcoind is down");
    bitcoind.up = true;
    const deadline = Date.now() + 10_000;
    while ((await to.info()).walletConfirmedSat !== 12_345_678n) {
      assert.ok(Date.now() < deadline, "the wallet is asked again");
      for (const wake of asleep.splice(0)) wake();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal((await to.info()).feeReserveSat, 0n, "no channel, no need");
  });

  it("serves with a new store while bitcoind is unreachable", async () => {
    files.remove();
    files = await monitorFiles(`http://127.0.0.1:${await freePort()}`, manager.key);
    const monitor = await up();
    const info = await monitor.info();
    assert.equal(info.chainState, "unavailable");
    assert.equal(info.tip?.height, 0);
    assert.equal(info.channels, 0n);
    assert.equal(await files.health(port, SERVICE), "SERVING");
    assert.equal(await files.health(port, ""), "SERVING");
    assert.equal(await files.health(port, CHAIN), "NOT_SERVING");
    const listed = await monitor.call<ListChannelsResponse>((done) =>
      monitor.rpc.listChannels(
        { pageSize: 0, pageToken: Buffer.alloc(0), filter: ChannelFilter.ALL },
        done,
      ),
    );
    assert.deepEqual(listed.channels, []);
  });

  it("asks to repeat what changes a new store until it knows a block, then accepts it", async () => {
    const monitor = await up();
    await assert.rejects(
      openSession(monitor),
      (error) => error instanceof Error && "code" in error && error.code === status.UNAVAILABLE,
    );
    bitcoind.up = true;
    await untilHealth(CHAIN, "SERVING");
    assert.equal((await openSession(monitor)).epoch, manager.epoch);
    const info = await monitor.info();
    assert.equal(info.tip?.height, bitcoind.tip.height);
    assert.equal(info.storeGen, 1n);
  });

  it("starts a new store at the tip of its first contact, and keeps it", async () => {
    bitcoind.up = true;
    await up();
    await untilHealth(CHAIN, "SERVING");
    client?.close();
    await app?.stop();
    bitcoind.up = false;
    const info: GetInfoResponse = await (await up()).info();
    assert.equal(info.tip?.height, bitcoind.tip.height);
    assert.equal(info.chainState, "unavailable");
    assert.equal(info.storeGen, 2n);
  });

  it("accepts sessions with a known store while bitcoind is down", async () => {
    await files.storeWithTip(bitcoind.tip);
    const monitor = await up();
    assert.equal((await openSession(monitor)).epoch, manager.epoch);
    assert.equal(await files.health(port, CHAIN), "NOT_SERVING");
  });

  it("tells the chain's health when bitcoind goes away and comes back", async () => {
    bitcoind.up = true;
    await up();
    await untilHealth(CHAIN, "SERVING");
    bitcoind.up = false;
    await untilHealth(CHAIN, "NOT_SERVING");
    assert.equal(await files.health(port, SERVICE), "SERVING");
    bitcoind.up = true;
    await untilHealth(CHAIN, "SERVING");
  });

  it("ends with exit code 70 when a commit fails", async () => {
    await files.storeWithTip(bitcoind.tip);
    const codes: number[] = [];
    const monitor = await up({
      failpoint: (name) => {
        if (name === "afterDecide") throw new Error("the disk is gone: hunter2");
      },
      exit: (code) => void codes.push(code),
    });
    await assert.rejects(openSession(monitor));
    assert.deepEqual(codes, [EXIT_FATAL]);
    assert.ok(lines.some((line) => line.includes("fatal: the process ends")));
  });

  it("answers the health command while it runs, and not after", async () => {
    await up();
    const { tls } = loadConfig({ file: files.configFile });
    const question = { listen: `0.0.0.0:${port}`, tls: readTls(tls), service: "" };
    assert.equal(await isServing(question), true);
    await app?.stop();
    assert.equal(await isServing(question), false);
  });

  it("releases everything when the start fails, so that the next one succeeds", async () => {
    const config = loadConfig({ file: files.configFile });
    const log = createLog("silent");
    await assert.rejects(createApp({ ...config, listen: NOT_OURS }, { log }).start());
    await up();
    assert.equal(await files.health(port, SERVICE), "SERVING");
  });

  it("logs one line with the port, and no login", async () => {
    bitcoind.up = true;
    await up();
    await untilHealth(CHAIN, "SERVING");
    const listening = lines.filter((line) => line.includes('"msg":"listening"'));
    assert.equal(listening.length, 1);
    assert.ok(listening[0]?.includes(`"port":${port}`));
    const basic = Buffer.from("farwatch:hunter2").toString("base64");
    assert.ok(lines.every((line) => !line.includes("hunter2") && !line.includes(basic)));
  });
});
