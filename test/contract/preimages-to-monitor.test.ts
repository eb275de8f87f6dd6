/**
 * Preimage records from a whole manager to a whole monitor, over real gRPC with mutual TLS and two stores
 * on disk: one that is answered, one whose answer is lost, one that waits for its monitor, and a monitor
 * that lost its disk.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { encodeInitialState } from "@farwatch/protocol/convert/channel";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import { keyOfSecret } from "@farwatch/protocol/envelope/sign";
import { managerKey, monitorKey, updateId, type ChannelId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { createGrpcLink } from "@farwatch/manager-service/monitors/grpc-link";
import { systemLinkClock } from "@farwatch/manager-service/monitors/link-options";
import type { Failpoint } from "@farwatch/manager-service/runtime/deps";
import { loadTables } from "@farwatch/manager-service/runtime/load-tables";
import { createManagerHost, type RunningManager } from "@farwatch/manager-service/runtime/manager";
import { openManagerStore } from "@farwatch/manager-service/store/sqlite/sqlite-store";
import type { FailpointName } from "@farwatch/monitor-service/runtime/deps";
import { createChannel } from "../harness/channel/channel.js";
import { REGTEST_CHAIN_HASH } from "../harness/channel/setup.js";
import { NOWHERE, secretNamed, testChannelOptions } from "../harness/channel/test-channel.js";
import { Bench, createCertificates, until, type Certificates } from "./monitor-rpc/bench.js";
import { World } from "./shell/world.js";

const MANAGER_SECRET = new Uint8Array(32).fill(0x5c);
const WHO = { name: "node", nodeKey: `02${"11".repeat(32)}`, admin: false };
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const learns = (name: string): UpdateStep => ({
  kind: "paymentPreimage",
  preimage: secretNamed(name).preimage,
  paymentInfo: undefined,
});

describe("preimage records from a manager to a monitor", function () {
  this.timeout(60_000);
  let certificates: Certificates;
  let folder: string;
  let world: World;
  let bench: Bench;
  let port: number;
  let manager: RunningManager | undefined;
  let id: ChannelId;
  let atMonitor: (name: FailpointName) => void | Promise<void>;
  let atManager: Failpoint;
  /** Failpoints of the manager that were passed. */
  let told: string[];
  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates.remove());
  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-preimages-"));
    atMonitor = () => undefined;
    atManager = () => undefined;
    told = [];
    port = 0;
    world = await World.start({ failpoint: (name) => atMonitor(name) });
    await listen();
    await startManager();
    id = await openChannel();
  });
  afterEach(async () => {
    await manager?.stop();
    await bench.close();
    await world.end();
    fs.rmSync(folder, { recursive: true });
  });

  const key = () => managerKey(keyOfSecret(world.curve, MANAGER_SECRET));

  async function listen(): Promise<void> {
    bench = new Bench(certificates);
    const who = { name: "manager", managerKey: key(), admin: true };
    ({ port } = await bench.serve(world.host, { who, port }));
  }

  async function startManager(): Promise<void> {
    const { curve } = world;
    const random = (length: number): Uint8Array => Uint8Array.from(randomBytes(length));
    const common = { curve, managerKey: key(), chainHash: REGTEST_CHAIN_HASH, randomBytes: random };
    const file = path.join(folder, "manager.db");
    const { chainHash } = common;
    const store = await openManagerStore({ file, chainHash, managerKey: common.managerKey });
    const stored = await store.load();
    const [ca, cert, secret] = [
      certificates.caFile,
      certificates.manager.certFile,
      certificates.manager.keyFile,
    ].map((name) => fs.readFileSync(name));
    assert.ok(ca !== undefined && cert !== undefined && secret !== undefined);
    const link = createGrpcLink({
      ...common,
      name: "mon-a",
      monitorKey: monitorKey(world.host.info().monitorKey),
      address: `localhost:${port}`,
      tls: { ca, cert, key: secret },
      managerSecret: MANAGER_SECRET,
      epoch: stored.epoch,
      bootNonce: random(32),
      log: silent,
      clock: systemLinkClock,
    });
    const failpoint: Failpoint = (name) => {
      told.push(name);
      return atManager(name);
    };
    manager = await createManagerHost({
      ...common,
      store: {
        load: () => Promise.resolve(stored), // every load raises the epoch
        transact: (changes) => store.transact(changes),
        range: (...asked) => store.range(...asked),
        close: () => store.close(),
      },
      links: [link],
      clock: { nowMs: () => Date.now() },
      log: silent,
      onFatal: () => undefined,
      failpoint,
    });
    manager.start();
  }
  async function stopManager(): Promise<void> {
    await manager?.stop();
    manager = undefined;
  }

  async function openChannel(): Promise<ChannelId> {
    const channel = createChannel({ ...testChannelOptions, curve: world.curve }).open(NOWHERE);
    const first = encodeInitialState(channel.initialState("holder"));
    const watched = await host().watchChannel(
      WHO,
      { kind: "initialState", bytes: first },
      updateId(1),
    );
    assert.ok(watched.ok, watched.ok ? "" : watched.error.message);
    await until("watched", () => preimagesOf(channel.channelId) !== undefined);
    return channel.channelId;
  }
  const host = () => {
    assert.ok(manager !== undefined);
    return manager.host;
  };
  /** A preimage in an update that is refused: it reaches a monitor by a record only. */
  const learn = (name: string): Promise<void> =>
    host().update(WHO, {
      channelId: id,
      updateId: updateId(9),
      payload: encodeUpdatePayload([learns(name)]),
    });
  const preimagesOf = (channelId: ChannelId) => {
    const view = world.host.channel({ name: "m", managerKey: key(), admin: true }, channelId);
    return view.ok ? view.value.state.preimages : undefined;
  };
  const arrived = (name: string): Promise<void> =>
    until(name, () => preimagesOf(id)?.has(secretNamed(name).paymentHash) === true);
  const rowsAtMonitor = async (): Promise<number> =>
    (await world.store.readLog(0, 1000)).filter(({ kind }) => kind === "preimages").length;
  /** Stores that the stopped manager knows to have its only record. */
  async function durableOn(): Promise<readonly string[]> {
    const file = path.join(folder, "manager.db");
    const store = await openManagerStore({
      file,
      chainHash: REGTEST_CHAIN_HASH,
      managerKey: key(),
    });
    const [row, ...more] = loadTables(await store.load()).preimage.values();
    await store.close();
    assert.deepEqual(more, []);
    return row?.durableOn.map((at) => at.storeId) ?? [];
  }
  /** Stops the manager once it has said that the record is durable there. */
  async function settled(): Promise<void> {
    await until("durable", () => told.includes("afterCommit:preimagesStored"));
    await stopManager();
    assert.deepEqual(await durableOn(), [world.host.info().storeId]);
  }

  it("are durable there, and known to be", async () => {
    await learn("one");
    await arrived("one");
    await settled();
    assert.equal(await rowsAtMonitor(), 1);
  });

  it("are sent again when the monitor's process ends between its commit and its answer", async () => {
    let ended: Promise<void> | undefined;
    atMonitor = (name) => {
      if (name !== "beforeReply" || ended !== undefined) return;
      ended = bench.close();
      return ended; // the call is cut while it waits here
    };
    await learn("one");
    await until("its end", () => ended !== undefined);
    await ended;
    assert.ok(!told.includes("afterCommit:preimagesStored"));
    await world.restart();
    await listen();
    await settled();
    assert.equal(await rowsAtMonitor(), 1, "known already: no second row");
  });

  it("wait for a monitor that is away, over a restart of the manager", async () => {
    await bench.close();
    await world.down();
    await learn("one");
    await stopManager();
    assert.deepEqual(await durableOn(), []);
    await world.up();
    await listen();
    await startManager();
    await arrived("one");
    await settled();
  });

  it("are sent when the manager ended between its commit and the sending", async () => {
    atManager = (name) =>
      name === "afterCommit:updateOffered" ? new Promise<void>(() => undefined) : undefined;
    void learn("one");
    await until("committed", () => told.includes("afterCommit:updateOffered"));
    await stopManager();
    assert.equal(await rowsAtMonitor(), 0);
    atManager = () => undefined;
    await startManager();
    await arrived("one");
    await settled();
  });

  it("are sent again when the manager ended before it noted the receipt", async () => {
    atManager = (name) => {
      if (name === "beforeCommit:preimagesStored") throw new Error("the process ends here");
    };
    await learn("one");
    await until("answered", () => told.includes("beforeCommit:preimagesStored"));
    await stopManager();
    assert.deepEqual(await durableOn(), []);
    atManager = () => undefined;
    await startManager();
    await settled();
    assert.equal(await rowsAtMonitor(), 1);
  });

  it("go again to a monitor restored from a copy that lacks what it had confirmed", async () => {
    await stopManager();
    await bench.close();
    const restore = await world.backUp();
    await listen();
    await startManager();
    await learn("one");
    await settled();
    await bench.close();
    await restore();
    assert.equal(await rowsAtMonitor(), 0);
    await listen();
    await startManager();
    await arrived("one");
  });

  it("go to a monitor that lost its disk again, after the first state of their channel", async () => {
    await learn("one");
    await settled();
    await bench.close();
    await world.loseStore();
    await listen();
    told.length = 0;
    await startManager();
    await arrived("one");
    await settled();
  });
});
