/**
 * One bitcoind and one whole monitor in this process: real core, signer, SQLite, publisher, follower and
 * fee wallet. Process boundaries are proved by other files; here many channels share one chain. After
 * every block it waits until the monitor has it on disk and has offered what is outstanding.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import type { ChannelId } from "@farwatch/protocol/ids";
import { BitcoindRpc } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { BitcoindSource } from "@farwatch/monitor-service/chain/bitcoind-source";
import { BitcoindWallet } from "@farwatch/monitor-service/chain/bitcoind-wallet";
import { ChainFollower, type ChainSink } from "@farwatch/monitor-service/chain/follower";
import { systemClock } from "@farwatch/monitor-service/chain/waker";
import type { ChannelView, MonitorHost } from "@farwatch/monitor-service/runtime/monitor-host";
import { startMonitorHost, type RunningHost } from "@farwatch/monitor-service/runtime/start";
import { MemoryFloors } from "@farwatch/monitor-service/signer/holder-floors";
import { openSqliteStore } from "@farwatch/monitor-service/store/sqlite/sqlite-store";
import type { MonitorStore } from "@farwatch/monitor-service/store/store";
import { TestManager } from "../../contract/shell/test-manager.js";
import { startRegtest, type Regtest } from "../../harness/bitcoind/node.js";
import { DEFAULT_SEEDS, REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { seedSigner } from "../../harness/channel/seed-signer.js";
import { MinedChain } from "./mined-chain.js";

/** Blocks before the first test: coinbases mature after 100, and every fee needs a coin of its own. */
const FIRST_BLOCKS = 160;
/** Milliseconds; a hint over ZMQ comes first. */
const POLL_MS = 500;
/** Milliseconds for one round of blocks on a busy machine. */
const FOLLOW_TIMEOUT_MS = 60_000;

export interface LogLine {
  readonly level: "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

interface Parts {
  readonly node: Regtest;
  readonly curve: Curve;
  readonly source: BitcoindSource;
  readonly rpc: BitcoindRpc;
  readonly store: MonitorStore;
  readonly folder: string;
}

export class Bed {
  readonly lines: LogLine[] = [];
  readonly manager: TestManager;
  readonly mined: MinedChain;
  readonly #parts: Parts;
  #running: RunningHost | undefined;
  #follower: ChainFollower | undefined;
  /** Of the last block that is on disk. */
  #followed = "";
  /** Height of the last block both branches had in common. */
  #lastFork: number | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.manager = new TestManager(parts.curve);
    this.mined = new MinedChain(parts.node);
  }

  static async start(extraArgs: readonly string[] = []): Promise<Bed> {
    const node = await startRegtest({ zmq: true, extraArgs });
    await node.mine(FIRST_BLOCKS);
    const { curve } = await selectCurve("auto");
    const { user, password, rpcUrl: url } = node;
    const rpc = new BitcoindRpc({ url, auth: { kind: "password", user, password } });
    const zmqHashblock = must(node.zmqHashblock, "ZMQ");
    const source = await BitcoindSource.open({ rpc, chain: "regtest", zmqHashblock });
    const folder = mkdtempSync(join(tmpdir(), "farwatch-matrix-"));
    const path = join(folder, "monitor.db");
    const store = await openSqliteStore({ path, chainHash: REGTEST_CHAIN_HASH, randomBytes });
    const bed = new Bed({ node, curve, source, rpc, store, folder });
    await bed.#up();
    return bed;
  }

  async stop(): Promise<void> {
    const { node, source, store, folder } = this.#parts;
    await this.#follower?.stop();
    await this.#running?.stop();
    await source.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
    await node.stop();
  }

  get node(): Regtest {
    return this.#parts.node;
  }
  get curve(): Curve {
    return this.#parts.curve;
  }
  get host(): MonitorHost {
    return must(this.#running, "a running host").host;
  }

  async #up(): Promise<void> {
    const { curve, source, rpc, store, node } = this.#parts;
    const line =
      (level: LogLine["level"]) =>
      (fields: LogLine["fields"], message: string): void =>
        void this.lines.push({ level, fields, message });
    const log = { info: line("info"), warn: line("warn"), error: line("error") };
    const floors = new MemoryFloors();
    this.#running = await startMonitorHost({
      curve,
      store,
      signer: seedSigner(curve, DEFAULT_SEEDS.holder, floors),
      floors,
      source,
      feeWallet: new BitcoindWallet(rpc, node.wallet.name),
      chain: "regtest",
      chainHash: REGTEST_CHAIN_HASH,
      monitorSecret: new Uint8Array(32).fill(0x33),
      log,
      nowMs: () => Date.now(),
      randomBytes: (length) => Uint8Array.from(randomBytes(length)),
      chainState: () => this.#follower?.status().state ?? "unavailable",
      onFatal: (error) => log.error({ error: error.message }, "fatal"),
    });
    const { manager } = this;
    const opened = await this.host.openSession(manager.who, manager.session(this.host.info()));
    assert.ok(opened.ok, "session");
    const sink = this.#remembering(this.#running.sink);
    this.#follower = new ChainFollower({
      source,
      sink,
      chain: "regtest",
      log,
      clock: systemClock,
      pollIntervalMs: POLL_MS,
    });
    void this.#follower.run().catch((error: unknown) => log.error({ error }, "the sink failed"));
    await this.follow();
  }

  /** The sink resolves when a block is on disk; only then its transactions are asked for. */
  #remembering(sink: ChainSink): ChainSink {
    this.#followed = must(sink.tipRing()[0], "a header").hash;
    return {
      tipRing: () => sink.tipRing(),
      connected: async (block) => {
        await sink.connected(block);
        this.#followed = block.header.hash;
      },
      disconnected: async (forkPoint) => {
        await sink.disconnected(forkPoint);
        this.#followed = forkPoint.hash;
        this.#lastFork = forkPoint.height;
      },
      synced: () => sink.synced(),
    };
  }

  /** Until the monitor has bitcoind's best block on disk and has offered all that is outstanding. */
  async follow(): Promise<void> {
    const best = await this.node.bestHash();
    const deadline = Date.now() + FOLLOW_TIMEOUT_MS;
    while (this.#followed !== best) {
      assert.ok(Date.now() < deadline, `the monitor does not reach ${best}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await must(this.#running, "a running host").published();
    await this.mined.read();
  }

  /** Blocks with all the mempool holds. */
  async mine(blocks = 1): Promise<void> {
    await this.node.mine(blocks);
    await this.follow();
  }

  async mineTo(height: number): Promise<void> {
    const missing = height - (await this.node.height());
    if (missing > 0) await this.mine(missing);
  }

  /** One block with exactly these: what others confirm, whatever a mempool would say about fees. */
  async mineOnly(raws: readonly Uint8Array[]): Promise<void> {
    await this.node.generateBlock(raws.map(toHex));
    await this.follow();
  }

  /**
   * The last `depth` blocks give way to one more, all of them empty. The returned function lets the old
   * branch win again.
   */
  async reorganise(depth: number): Promise<() => Promise<void>> {
    const { node } = this;
    const hashOf = async (height: number): Promise<string> =>
      String(await node.rpc("getblockhash", [height]));
    const first = (await node.height()) - depth + 1;
    const old = await hashOf(first);
    await node.invalidateBlock(old);
    await node.mineEmpty(depth + 1);
    await this.follow();
    assert.equal(this.#lastFork, first - 1, "the monitor followed");
    const fresh = await hashOf(first);
    return async () => {
      const height = await node.height();
      await node.invalidateBlock(fresh);
      await node.reconsiderBlock(old);
      await node.mineEmpty(height - (await node.height()) + 1);
      await this.follow();
    };
  }

  async send(raw: Uint8Array): Promise<void> {
    await this.node.rpc("sendrawtransaction", [toHex(raw)]);
  }

  view(channelId: ChannelId): ChannelView {
    const view = this.host.channel(this.manager.who, channelId);
    assert.ok(view.ok, "a watched channel");
    return view.value;
  }

  /** All told so far: none is acked. */
  events(channelId: ChannelId): readonly NewMonitorEvent[] {
    return this.host.pendingEvents(this.manager.who, channelId).map(({ eventId, payload }) => {
      const decoded = decodeEventPayload(payload);
      assert.ok(decoded.ok);
      return { eventId, ...decoded.value };
    });
  }

  /** What was logged about one channel. */
  linesOf(channelId: ChannelId): readonly LogLine[] {
    return this.lines.filter(({ fields }) => fields["channelId"] === channelId);
  }
}
