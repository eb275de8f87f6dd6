/**
 * Bump requests through the whole manager: a monitor's event stream on one side, Subscribe and SignBump on
 * the other, both real gRPC with mutual TLS. The monitor is scripted, the store a real file.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { status, type ClientReadableStream, type Metadata } from "@grpc/grpc-js";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { bumpItemToWire } from "@farwatch/protocol/convert/bump";
import { encodeInitialState } from "@farwatch/protocol/convert/channel";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import {
  Role,
  type ManagerServiceClient,
  type OpenNodeSessionResponse,
  type SignBumpRequest,
  type SignBumpResponse,
  type SubscribeResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { refuse } from "@farwatch/protocol/reasons";
import { CHANNEL, initialState } from "@farwatch/manager-service/manager/testing/scene";
import { createGrpcLink } from "@farwatch/manager-service/monitors/grpc-link";
import { systemLinkClock } from "@farwatch/manager-service/monitors/link-options";
import * as fixtures from "@farwatch/manager-service/monitors/testing/fixtures";
import { ScriptedMonitor } from "@farwatch/manager-service/monitors/testing/scripted-monitor";
import { createManagerHost, type RunningManager } from "@farwatch/manager-service/runtime/manager";
import {
  claimOf,
  inWords,
  over,
  wanted,
} from "@farwatch/manager-service/runtime/testing/bump-items";
import { openManagerStore } from "@farwatch/manager-service/store/sqlite/sqlite-store";
import type { Leaf } from "../harness/cluster/tls.js";
import {
  Bench,
  call,
  createCertificates,
  failureIn,
  NODE_KEY,
  sessionMetadata,
  until,
  type Certificates,
} from "./manager-rpc-bench.js";

const NAME = "mon-a";
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const funded: SignBumpRequest["funded"] = { $case: "psbt", value: Buffer.of(1, 2, 3) };

describe("bump requests through the whole manager", function () {
  this.timeout(30_000);
  let certificates: Certificates;
  let bench: Bench;
  let monitor: ScriptedMonitor;
  let folder: string;
  let running: RunningManager;
  let client: ManagerServiceClient;
  let session: Metadata;
  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-bumps-"));
    monitor = new ScriptedMonitor();
    await monitor.start(tlsOf(await certificates.authority.issue("monitor")));
    running = await startManager();
    bench = new Bench(certificates);
    client = await bench.open(running.host);
    await openChannel();
  });
  afterEach(async () => {
    await bench.close();
    await running.stop();
    monitor.stop();
    fs.rmSync(folder, { recursive: true });
  });

  const tlsOf = (leaf: Leaf) => ({
    ca: fs.readFileSync(certificates.authority.caFile),
    cert: fs.readFileSync(leaf.certFile),
    key: fs.readFileSync(leaf.keyFile),
  });

  async function startManager(): Promise<RunningManager> {
    const common = {
      curve: fixtures.CURVE,
      managerKey: fixtures.MANAGER_KEY,
      chainHash: fixtures.CHAIN,
      randomBytes: (length: number) => Uint8Array.from(randomBytes(length)),
    };
    const link = createGrpcLink({
      ...common,
      name: NAME,
      monitorKey: fixtures.MONITOR_KEY,
      address: `localhost:${monitor.port}`,
      tls: tlsOf(await certificates.authority.issue("manager")),
      managerSecret: fixtures.MANAGER_SECRET,
      epoch: 1n,
      bootNonce: new Uint8Array(32).fill(1),
      log: silent,
      clock: systemLinkClock,
    });
    const file = path.join(folder, "manager.db");
    const started = await createManagerHost({
      ...common,
      store: await openManagerStore({
        file,
        chainHash: fixtures.CHAIN,
        managerKey: fixtures.MANAGER_KEY,
      }),
      links: [link],
      clock: { nowMs: () => Date.now() },
      log: silent,
      onFatal: (error) => assert.fail(String(error)),
    });
    started.start();
    return started;
  }

  async function openChannel(): Promise<void> {
    const node = { nodeKey: Buffer.from(fromHex(NODE_KEY)), nodeEpoch: 1n, channels: [] };
    const request = { ...node, role: Role.MANAGER_RESOLVES, ldkVersion: undefined };
    const { sessionId } = await call<OpenNodeSessionResponse>((done) =>
      client.openNodeSession(request, done),
    );
    session = sessionMetadata(toHex(sessionId));
    const scene = initialState();
    const parameters = { ...scene.parameters, chainHash: fixtures.CHAIN };
    const first = Buffer.from(encodeInitialState({ ...scene, parameters }));
    await call((done) =>
      client.watchChannel({ initialState: first, firstUpdateId: 1n }, session, done),
    );
    await until(() => monitor.watches.length > 0, "the monitor watches");
  }

  class Subscription {
    readonly items: Item[] = [];
    inReplay: readonly string[] | undefined;
    knownOf: readonly string[] = [];
    readonly #stream: ClientReadableStream<SubscribeResponse>;

    constructor() {
      this.#stream = client.subscribe({}, session);
      this.#stream.on("error", () => undefined); // the server stops at the end of the test
      this.#stream.on("data", ({ item }: SubscribeResponse) => {
        if (item?.$case === "event") this.items.push(item.value);
        if (item?.$case !== "replayDone") return;
        this.inReplay = this.words;
        this.knownOf = item.value.bumpsKnownOf;
      });
    }
    get words(): readonly string[] {
      return this.items.map(inWords);
    }
    replayed(): Promise<void> {
      return until(() => this.inReplay !== undefined, "ReplayDone");
    }
    told(...words: readonly string[]): Promise<void> {
      return until(() => this.words.join() === words.join(), words.join());
    }
  }

  const request = (): SignBumpRequest => ({
    monitor: NAME,
    channelId: Buffer.from(fromHex(CHANNEL)),
    claimId: Buffer.from(fromHex(claimOf(1))),
    funded,
  });
  const refusedFor = async (changed: Partial<SignBumpRequest> = {}) => {
    const failure = await failureIn((done) =>
      client.signBump({ ...request(), ...changed }, session, done),
    );
    return { code: failure.code, reason: failure.refusal?.reason, ...failure.refusal?.details };
  };

  it("from the monitor to the node, and the wallet's answer back to the monitor", async () => {
    const first = new Subscription();
    await first.replayed();
    monitor.sendBump(bumpItemToWire(wanted(1, 500)));
    monitor.sendBump(bumpItemToWire(wanted(1, 700)));
    await until(() => first.words.at(-1) === `${NAME} 01 700`, "the newest");
    const later = new Subscription();
    await later.replayed();
    assert.deepEqual([later.inReplay, later.knownOf], [[`${NAME} 01 700`], [NAME]]);
    const [item] = later.items;
    const event = item?.item?.$case === "userEvent" ? item.item.value.event : undefined;
    assert.ok(event?.$case === "bumpTransaction");
    const { channelId, request: asked } = event.value;
    const wire = bumpItemToWire(wanted(1, 700));
    assert.deepEqual([channelId, asked], [wire.channelId, wire.request]);

    const { txid } = await call<SignBumpResponse>((done) =>
      client.signBump(request(), session, done),
    );
    assert.deepEqual(txid, Buffer.from([2, ...new Uint8Array(31)]));
    const answer = must(monitor.bumpAnswers[0], "an answer");
    const { claimId } = request();
    assert.deepEqual(answer, { channelId, claimId, funded, epoch: 1n });
    monitor.sendBump(bumpItemToWire(over(1)));
    await later.told(`${NAME} 01 700`, `${NAME} 01 over`);
  });

  it("over a lost connection: what the monitor does not ask for again is over", async () => {
    const wallet = new Subscription();
    await wallet.replayed();
    monitor.sendBump(bumpItemToWire(wanted(1, 500)));
    await wallet.told(`${NAME} 01 500`);
    monitor.bumps = [wanted(2, 600)];
    monitor.endStreams();
    await wallet.told(`${NAME} 01 500`, `${NAME} 02 600`, `${NAME} 01 over`);
  });

  it("refusals keep their reason, their details and a code that tells whether to try again", async () => {
    monitor.script.refuseBumps = refuse("fundingRefused", "no", { fault: "unsigned" });
    assert.deepEqual(await refusedFor(), {
      code: status.FAILED_PRECONDITION,
      reason: "fundingRefused",
      fault: "unsigned",
      monitor: NAME,
    });
    monitor.script.refuseBumps = refuse("claimUnknown", "over");
    assert.deepEqual(await refusedFor(), {
      code: status.NOT_FOUND,
      reason: "claimUnknown",
      monitor: NAME,
    });
    const asked = monitor.bumpAnswers.length;
    assert.equal((await refusedFor({ monitor: "mon-b" })).reason, "claimUnknown");
    const unknown = await refusedFor({ channelId: Buffer.alloc(32, 1) });
    assert.deepEqual([unknown.code, unknown.reason], [status.NOT_FOUND, "channelUnknown"]);
    assert.equal((await refusedFor({ claimId: Buffer.alloc(31) })).reason, "wrongLength");
    assert.equal((await refusedFor({ funded: undefined })).reason, "malformed");
    assert.equal(monitor.bumpAnswers.length, asked, "none of these reached the monitor");
  });

  it("an answer is UNAVAILABLE while the monitor is away", async () => {
    monitor.stop();
    const connected = async () => (await running.host.monitors())[0]?.connected;
    while ((await connected()) === true) await new Promise((resolve) => setTimeout(resolve, 5));
    const { code, reason } = await refusedFor();
    assert.deepEqual([code, reason], [status.UNAVAILABLE, "monitorUnreachable"]);
  });
});
