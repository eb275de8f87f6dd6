/**
 * One monitor host as it runs in production, but in this process: the real core, the real SQLite store
 * in a temporary folder, a real signer, and a chain in memory whose blocks are fed to the sink.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { FakeChain } from "@farwatch/monitor-service/chain/testing/fake-chain";
import { verifyBlock } from "@farwatch/monitor-service/chain/verify-block";
import { encodeState } from "@farwatch/monitor-service/monitor/codec";
import type { Failpoint, HostDeps, SweepConfig } from "@farwatch/monitor-service/runtime/deps";
import type {
  MonitorHost,
  SignedPayload,
  SubmitOutcome,
  UpdateReceipt,
} from "@farwatch/monitor-service/runtime/monitor-host";
import { startMonitorHost, type RunningHost } from "@farwatch/monitor-service/runtime/start";
import { MemoryFloors, type HolderFloors } from "@farwatch/monitor-service/signer/holder-floors";
import type { ChannelSigner } from "@farwatch/monitor-service/signer/signer";
import { openSqliteStore } from "@farwatch/monitor-service/store/sqlite/sqlite-store";
import type { LogRow, MonitorStore } from "@farwatch/monitor-service/store/store";
import { createChannel, type Channel, type ChannelOptions } from "../../harness/channel/channel.js";
import { seedSigner } from "../../harness/channel/seed-signer.js";
import { DEFAULT_SEEDS, REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { NOWHERE, testChannelOptions } from "../../harness/channel/test-channel.js";
import { txid } from "@farwatch/protocol/ids";
import { TestManager } from "./test-manager.js";

const FIRST_HEIGHT = 200;

export interface WorldOptions {
  readonly failpoint?: Failpoint;
  /** Wraps the curve, to break a step from inside. */
  readonly wrapCurve?: (curve: Curve) => Curve;
  /** Wraps the store, to see or to disturb what passes. */
  readonly wrapStore?: (store: MonitorStore) => MonitorStore;
  readonly floors?: HolderFloors;
  /** Who pays fees of anchor channels; nobody unless said. */
  readonly fees?: Pick<HostDeps, "feeWallet" | "asksManagers">;
  readonly sweep?: SweepConfig;
  /** Of the host's keys; the holder's of the harness unless said. */
  readonly seed?: Uint8Array;
  /** In place of one over a seed. */
  readonly signer?: ChannelSigner;
  /** Of the chain when the host starts. */
  readonly firstHeight?: number;
}

export interface LogLine {
  readonly level: "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export class World {
  readonly chain: FakeChain;
  readonly lines: LogLine[] = [];
  readonly fatal: Error[] = [];
  readonly manager: TestManager;
  /** Outlives the store, as its file does. */
  readonly floors: HolderFloors;
  nowMs = 1_700_000_000_000;
  /** Called with every receipt. */
  onAccepted: () => void = () => undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), "farwatch-shell-"));
  readonly #options: WorldOptions;
  #running: RunningHost | undefined;
  #store: MonitorStore | undefined;
  #channels = 0;

  private constructor(
    readonly curve: Curve,
    options: WorldOptions,
  ) {
    this.#options = options;
    this.chain = new FakeChain(options.firstHeight ?? FIRST_HEIGHT);
    this.floors = options.floors ?? new MemoryFloors();
    this.manager = new TestManager(curve);
  }

  /** A running host with an open session of `manager`. */
  static async start(options: WorldOptions = {}): Promise<World> {
    const { curve } = await selectCurve("auto");
    const world = new World(options.wrapCurve?.(curve) ?? curve, options);
    await world.up();
    await world.openSession();
    return world;
  }

  get running(): RunningHost {
    return must(this.#running, "a running host");
  }
  get host(): MonitorHost {
    return this.running.host;
  }
  get store(): MonitorStore {
    return must(this.#store, "an open store");
  }

  async up(): Promise<void> {
    const path = join(this.#folder, "monitor.db");
    const opened = await openSqliteStore({ path, chainHash: REGTEST_CHAIN_HASH, randomBytes });
    this.#store = this.#options.wrapStore?.(opened) ?? opened;
    this.#running = await startMonitorHost(this.#deps(this.#store));
  }

  async down(): Promise<void> {
    await this.#running?.stop();
    await this.#store?.close();
    this.#running = undefined;
    this.#store = undefined;
  }

  async restart(): Promise<void> {
    await this.down();
    await this.up();
  }

  /** Copies the store; what is returned puts the copy back, as an operator's restore does. */
  async backUp(): Promise<() => Promise<void>> {
    await this.down();
    const copy = mkdtempSync(join(tmpdir(), "farwatch-backup-"));
    cpSync(this.#folder, copy, { recursive: true });
    await this.up();
    return async () => {
      await this.down();
      for (const name of readdirSync(this.#folder)) rmSync(join(this.#folder, name));
      cpSync(copy, this.#folder, { recursive: true });
      rmSync(copy, { recursive: true });
      await this.up();
    };
  }

  /** A new, empty store, with a session of `manager` open; `meanwhile` happens with no host up. */
  async loseStore(meanwhile: () => void = () => undefined): Promise<void> {
    await this.down();
    meanwhile();
    for (const name of readdirSync(this.#folder)) rmSync(join(this.#folder, name));
    await this.up();
    this.manager.heads.clear();
    await this.openSession();
  }

  async end(): Promise<void> {
    await this.down();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #deps(store: MonitorStore): HostDeps {
    const line =
      (level: LogLine["level"]) =>
      (fields: LogLine["fields"], message: string): void =>
        void this.lines.push({ level, fields, message });
    return {
      curve: this.curve,
      store,
      signer: this.#signer,
      floors: this.floors,
      source: this.chain,
      chain: "regtest",
      chainHash: REGTEST_CHAIN_HASH,
      monitorSecret: new Uint8Array(32).fill(0x33),
      log: { info: line("info"), warn: line("warn"), error: line("error") },
      nowMs: () => this.nowMs,
      randomBytes: (length) => Uint8Array.from(randomBytes(length)),
      chainState: () => "synced",
      onFatal: (error) => void this.fatal.push(error),
      ...this.#options.fees,
      ...(this.#options.sweep === undefined ? {} : { sweep: this.#options.sweep }),
      ...(this.#options.failpoint === undefined ? {} : { failpoint: this.#options.failpoint }),
    };
  }

  get #signer(): ChannelSigner {
    const { signer, seed = DEFAULT_SEEDS.holder } = this.#options;
    return signer ?? seedSigner(this.curve, seed, this.floors);
  }

  async openSession(manager = this.manager): Promise<void> {
    const opened = await this.host.openSession(manager.who, manager.session(this.host.info()));
    assert.ok(opened.ok, "session");
  }

  /**
   * A channel of the harness whose holder this host watches; its steps are submitted one by one. Channel
   * ids are in the order of `number`.
   */
  async open(
    options: Partial<ChannelOptions> = {},
    manager = this.manager,
    number = ++this.#channels,
  ): Promise<Channel> {
    const channel = createChannel({
      ...testChannelOptions,
      curve: this.curve,
      onUpdate: async (steps) => {
        await this.accept(channel.channelId, steps, manager);
      },
      ...options,
    }).open({ ...NOWHERE, txid: txid(number.toString(16).padStart(8, "0").padStart(64, "a")) });
    const watched = await this.host.watchChannel(
      manager.who,
      manager.watch(channel.initialState("holder")),
    );
    assert.ok(watched.ok, watched.ok ? "" : watched.error.message);
    return channel;
  }

  async accept(
    channelId: ChannelId,
    steps: readonly UpdateStep[],
    manager = this.manager,
  ): Promise<UpdateReceipt> {
    const outcome = await this.submit(manager.update(channelId, steps));
    assert.deepEqual(outcome.refused, []);
    this.onAccepted();
    return must(outcome.receipts?.receipts[0], "a receipt");
  }

  submit(...updates: readonly SignedPayload[]): Promise<SubmitOutcome> {
    return this.host.submitUpdates(this.manager.who, this.manager.batch(...updates));
  }

  /** Mines these transactions (stripped of witnesses) and gives the blocks to the sink. */
  async mine(...transactions: readonly Uint8Array[]): Promise<void> {
    this.chain.mine(1, { transactions: transactions.map(stripped) });
    await this.follow();
  }

  async mineEmpty(blocks: number): Promise<void> {
    this.chain.mine(blocks);
    await this.follow();
  }

  /** What the chain follower does, without its timers. */
  async follow(): Promise<void> {
    const { sink } = this.running;
    const best = new Map(this.chain.best.map((block) => [block.header.hash, block]));
    const fork = must(
      sink.tipRing().find(({ hash }) => best.has(hash)),
      "a common block",
    );
    const { height, hash } = fork;
    if (hash !== sink.tipRing()[0]?.hash) await sink.disconnected({ height, hash });
    for (const { header, raw } of this.chain.best.slice(height + 1)) {
      const block = verifyBlock(header, raw);
      assert.ok(block.ok);
      await sink.connected(block.value);
    }
    await this.running.published();
  }

  /** The durable state of a channel, as bytes. */
  stateOf(channelId: ChannelId, manager = this.manager): Uint8Array {
    const view = this.host.channel(manager.who, channelId);
    assert.ok(view.ok);
    return encodeState(view.value.state);
  }

  /** Every row that is on disk now. */
  async rows(): Promise<unknown> {
    const { storeGen: _, ...stored } = await this.store.load();
    const log: readonly LogRow[] = await this.store.readLog(0, 1_000_000);
    return { stored, log };
  }
}

export function stripped(raw: Uint8Array): Uint8Array {
  const tx = Transaction.fromBuffer(raw);
  for (const input of tx.ins) input.witness = [];
  return Uint8Array.from(tx.toBuffer());
}
