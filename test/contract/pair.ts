/**
 * A whole manager and a whole monitor in one process, each on its own store on disk, with real gRPC and
 * mutual TLS between them, and a node with one channel that keeps what it sent. Either side can be stopped,
 * restored from a copy, and started again. No rules of its own.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { encodeInitialState } from "@farwatch/protocol/convert/channel";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import { keyOfSecret } from "@farwatch/protocol/envelope/sign";
import { Role } from "@farwatch/protocol/gen/manager/v1/manager_service";
import {
  managerKey,
  monitorKey,
  updateId,
  type ChannelId,
  type ManagerKey,
} from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { createGrpcLink } from "@farwatch/manager-service/monitors/grpc-link";
import { systemLinkClock } from "@farwatch/manager-service/monitors/link-options";
import type { MonitorLink } from "@farwatch/manager-service/monitors/monitor-link";
import type { Failpoint } from "@farwatch/manager-service/runtime/deps";
import { createManagerHost, type RunningManager } from "@farwatch/manager-service/runtime/manager";
import { ToldItems, ToldUpdates } from "@farwatch/manager-service/runtime/testing/bench";
import { openManagerStore } from "@farwatch/manager-service/store/sqlite/sqlite-store";
import { createChannel, type Channel } from "../harness/channel/channel.js";
import { REGTEST_CHAIN_HASH } from "../harness/channel/setup.js";
import {
  NOWHERE,
  offer,
  secretNamed,
  testChannelOptions,
} from "../harness/channel/test-channel.js";
import { until } from "../harness/cluster/chain-facts.js";
import { Bench, createCertificates, type Certificates } from "./monitor-rpc/bench.js";
import { World } from "./shell/world.js";

const MANAGER_SECRET = new Uint8Array(32).fill(0x5c);
export const WHO = { name: "node", nodeKey: `02${"11".repeat(32)}`, admin: false };
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** One process of the manager. */
export interface ManagerProcess {
  readonly running: RunningManager;
  readonly link: MonitorLink;
  readonly items: ToldItems;
  readonly updates: ToldUpdates;
  /** Failpoints that were passed. */
  readonly passed: string[];
}

export class Pair {
  readonly #folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-pair-"));
  #copies = 0;
  #nodeEpoch = 0n;
  #bench: Bench | undefined;
  #port = 0;
  #process: ManagerProcess | undefined;
  #channel: Channel | undefined;
  #first: Uint8Array | undefined;
  /** What the node sent, by update id. */
  readonly sent: UpdateStep[][] = [];
  atManager: Failpoint = () => undefined;

  private constructor(
    readonly world: World,
    readonly certificates: Certificates,
  ) {}

  /** Both run, and the node has a channel that the monitor watches. */
  static async start(): Promise<Pair> {
    const pair = new Pair(await World.start(), await createCertificates());
    await pair.listen();
    await pair.startManager();
    await pair.openSession();
    pair.#channel = createChannel({
      ...testChannelOptions,
      curve: pair.world.curve,
      onUpdate: async (steps) => {
        pair.sent.push([...steps]);
        await pair.send(pair.sent.length);
      },
    }).open(NOWHERE);
    pair.#first = encodeInitialState(pair.channel.initialState("holder"));
    await pair.watch();
    await pair.completed(0);
    return pair;
  }

  /** The channel's first state; again with the same bytes. */
  async watch(): Promise<void> {
    const first = { kind: "initialState", bytes: must(this.#first, "first state") } as const;
    const watched = await this.host.watchChannel(WHO, first, updateId(1));
    assert.ok(watched.ok, watched.ok ? "" : watched.error.message);
  }
  async end(): Promise<void> {
    await this.stopManager();
    await this.cutOff();
    await this.world.end();
    fs.rmSync(this.#folder, { recursive: true });
    this.certificates.remove();
  }

  get channel(): Channel {
    return must(this.#channel, "open channel");
  }
  get id(): ChannelId {
    return this.channel.channelId;
  }
  get manager(): ManagerProcess {
    return must(this.#process, "a running manager");
  }
  get host() {
    return this.manager.running.host;
  }
  get managerKey(): ManagerKey {
    return this.#key;
  }
  get #key() {
    return managerKey(keyOfSecret(this.world.curve, MANAGER_SECRET));
  }

  get #who() {
    return { name: "manager", managerKey: this.#key, admin: true };
  }

  /** The monitor's side of the network. */
  async listen(): Promise<void> {
    this.#bench = new Bench(this.certificates);
    const where = { who: this.#who, port: this.#port };
    const { port } = await this.#bench.serve(this.world.host, where);
    this.#port = port;
  }
  async cutOff(): Promise<void> {
    await this.#bench?.close();
    this.#bench = undefined;
  }

  async startManager(): Promise<void> {
    this.#process = await this.managerOn("manager");
  }
  async stopManager(): Promise<void> {
    const stopped = this.#process;
    this.#process = undefined;
    await stopped?.running.stop();
  }
  /** Copies the stopped manager's database; what is returned puts it back. */
  copyManager(): () => void {
    const name = `copy-${++this.#copies}`;
    fs.cpSync(this.#place("manager"), this.#place(name), { recursive: true });
    return () => {
      fs.rmSync(this.#place("manager"), { recursive: true });
      fs.cpSync(this.#place(name), this.#place("manager"), { recursive: true });
    };
  }
  /** The stopped manager's database is gone; its key is not. */
  loseManager(): void {
    fs.rmSync(this.#place("manager"), { recursive: true });
  }
  #place(name: string): string {
    return path.join(this.#folder, name);
  }

  /** A process of the manager on the database of that name; the caller stops it. */
  async managerOn(name: string): Promise<ManagerProcess> {
    fs.mkdirSync(this.#place(name), { recursive: true });
    const random = (length: number): Uint8Array => Uint8Array.from(randomBytes(length));
    const common = {
      curve: this.world.curve,
      managerKey: this.#key,
      chainHash: REGTEST_CHAIN_HASH,
      randomBytes: random,
    };
    const file = path.join(this.#place(name), "manager.db");
    const store = await openManagerStore({ ...common, file });
    const stored = await store.load();
    const { epoch } = stored;
    const link = createGrpcLink({
      ...common,
      ...this.#linkOptions(),
      epoch,
      bootNonce: random(32),
    });
    const passed: string[] = [];
    const running = await createManagerHost({
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
      failpoint: (point) => {
        passed.push(point);
        return this.atManager(point);
      },
    });
    running.start();
    const items = new ToldItems();
    const updates = new ToldUpdates();
    running.host.subscribe(WHO, items);
    running.host.updateStream(WHO, updates);
    return { running, link, items, updates, passed };
  }

  #linkOptions() {
    const { caFile, manager } = this.certificates;
    return {
      name: "mon-a",
      monitorKey: monitorKey(this.world.host.info().monitorKey),
      address: `localhost:${this.#port}`,
      tls: {
        ca: fs.readFileSync(caFile),
        cert: fs.readFileSync(manager.certFile),
        key: fs.readFileSync(manager.keyFile),
      },
      managerSecret: MANAGER_SECRET,
      log: silent,
      clock: systemLinkClock,
    };
  }

  /** A new session of the node, which names the newest update it sent; streams begin anew. */
  async openSession() {
    const channels = this.#channel === undefined ? [] : [this.#cursor()];
    const opened = await this.host.openSession(WHO, {
      nodeKey: Buffer.from(fromHex(WHO.nodeKey)),
      nodeEpoch: ++this.#nodeEpoch,
      role: Role.MANAGER_RESOLVES,
      ldkVersion: undefined,
      channels,
    });
    assert.ok(opened.ok, opened.ok ? "" : opened.error.message);
    const { items, updates, running } = this.manager;
    running.host.subscribe(WHO, items);
    running.host.updateStream(WHO, updates);
    return opened.value.channels;
  }
  #cursor() {
    const { channel } = this;
    return {
      channelId: Buffer.from(fromHex(channel.channelId)),
      lastUpdateId: BigInt(this.sent.length),
      holderCommitmentNumber: BigInt(channel.commitment("holder").number),
      counterpartyCommitmentNumber: BigInt(channel.commitment("counterparty").number),
      revokedCommitments: BigInt(channel.revokedBelow("counterparty")),
    };
  }

  /** Sends what was sent under this id, again or for the first time, and waits until it is completed. */
  async send(id: number): Promise<void> {
    await this.offer(id);
    await this.completed(id);
  }
  offer(id: number): Promise<void> {
    const payload = encodeUpdatePayload(must(this.sent[id - 1], "sent"));
    return this.host.update(WHO, { channelId: this.id, updateId: updateId(id), payload });
  }
  async completed(id: number): Promise<void> {
    const isDone = (told: string): boolean => {
      const [kind, number] = told.split(" ");
      return kind === "completed" && Number(number) >= id;
    };
    await until(`completed ${id}`, () => this.#process?.updates.told.some(isDone) === true);
  }

  /** A payment of our own that the counterparty claims. */
  async pay(name: string): Promise<void> {
    const htlc = offer(this.channel, "holder", 20_000, name);
    await this.channel.settle();
    await this.channel.fulfillHtlc(htlc, secretNamed(name).preimage);
    await this.channel.settle();
  }

  /** The node handles everything it was told, until the monitor holds nothing more. */
  async settle(): Promise<void> {
    await until("nothing un-acked", async () => {
      await this.handleAll();
      return this.eventsHeld().length === 0;
    });
  }
  async handleAll(): Promise<void> {
    const { items } = this.manager.items;
    const answer = { kind: "handled" } as const;
    await this.host.done(
      WHO,
      items.map(({ itemId }) => ({ itemId, answer })),
    );
  }

  /** Every monitor's events of before are recorded. */
  async replayed(): Promise<void> {
    await until("the end of the replay", async () => {
      const [monitor] = await this.host.monitors();
      return monitor?.replayDone === true;
    });
  }
  eventsHeld(): readonly bigint[] {
    const view = this.monitorView();
    return view.pendingEventIds;
  }
  monitorView() {
    const view = this.world.host.channel(this.#who, this.id);
    assert.ok(view.ok);
    return view.value;
  }
  /** The monitor's newest update; undefined while it does not know the channel. */
  get monitorUpdateId(): number | undefined {
    const view = this.world.host.channel(this.#who, this.id);
    return view.ok ? Number(view.value.state.latestUpdateId) : undefined;
  }
  /** "code: text" of the alarms this process told. */
  get alarms(): readonly string[] {
    const texts = this.manager.items.items.flatMap(({ item }) => {
      if (item?.$case !== "userEvent") return [];
      const { event } = item.value;
      return event?.$case === "alarm" ? [`${event.value.code}: ${event.value.text}`] : [];
    });
    return [...new Set(texts)];
  }
  /** Semantic keys of what this process told, but alarms. */
  get facts(): readonly string[] {
    return [...new Set(this.manager.items.keys)].filter((key) => !key.startsWith("alarm/"));
  }
}
