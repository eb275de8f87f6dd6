/**
 * The monitor's shell over a real bitcoind and its wallet, without the RPC door and without timers: blocks
 * are followed when a test says so. One folder, so that a restart finds its store.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { blockHeight } from "@farwatch/protocol/block";
import { must } from "@farwatch/protocol/assert";
import type { InitialState } from "@farwatch/protocol/channel";
import { txid, type Preimage } from "@farwatch/protocol/ids";
import { BitcoindRpc } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { BitcoindSource } from "@farwatch/monitor-service/chain/bitcoind-source";
import { BitcoindWallet } from "@farwatch/monitor-service/chain/bitcoind-wallet";
import { verifyBlock } from "@farwatch/monitor-service/chain/verify-block";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import type { MonitorHost } from "@farwatch/monitor-service/runtime/monitor-host";
import { startMonitorHost, type RunningHost } from "@farwatch/monitor-service/runtime/start";
import { MemoryFloors } from "@farwatch/monitor-service/signer/holder-floors";
import { openSqliteStore } from "@farwatch/monitor-service/store/sqlite/sqlite-store";
import type { BumpRow, MonitorStore } from "@farwatch/monitor-service/store/store";
import { TestManager } from "../contract/shell/test-manager.js";
import type { Regtest } from "../harness/bitcoind/node.js";
import { createChannel, type Channel, type ChannelOptions } from "../harness/channel/channel.js";
import { seedSigner } from "../harness/channel/seed-signer.js";
import { DEFAULT_SEEDS, REGTEST_CHAIN_HASH } from "../harness/channel/setup.js";
import { testChannelOptions } from "../harness/channel/test-channel.js";

export class BumpHost {
  readonly warnings: string[] = [];
  readonly manager: TestManager;
  readonly #floors = new MemoryFloors();
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), "farwatch-bumps-"));
  #store: MonitorStore | undefined;
  #running: RunningHost | undefined;

  private constructor(
    readonly node: Regtest,
    readonly curve: Curve,
    readonly source: BitcoindSource,
    readonly wallet: BitcoindWallet,
  ) {
    this.manager = new TestManager(curve);
  }

  static async start(node: Regtest): Promise<BumpHost> {
    const { curve } = await selectCurve("auto");
    const { user, password, rpcUrl: url } = node;
    const rpc = new BitcoindRpc({ url, auth: { kind: "password", user, password } });
    const source = await BitcoindSource.open({ rpc, chain: "regtest" });
    const host = new BumpHost(node, curve, source, new BitcoindWallet(rpc, node.wallet.name));
    await host.up();
    const opened = await host.#host.openSession(
      host.manager.who,
      host.manager.session(host.#host.info()),
    );
    assert.ok(opened.ok);
    return host;
  }

  async up(): Promise<void> {
    const file = path.join(this.#folder, "monitor.db");
    const store = await openSqliteStore({
      path: file,
      chainHash: REGTEST_CHAIN_HASH,
      randomBytes,
    });
    this.#store = store;
    this.#running = await startMonitorHost({
      curve: this.curve,
      store,
      signer: seedSigner(this.curve, DEFAULT_SEEDS.holder, this.#floors),
      floors: this.#floors,
      source: this.source,
      feeWallet: this.wallet,
      chain: "regtest",
      chainHash: REGTEST_CHAIN_HASH,
      monitorSecret: new Uint8Array(32).fill(0x33),
      log: {
        info: () => undefined,
        warn: (fields, message) => void this.warnings.push(`${message} ${String(fields["cause"])}`),
        error: (_, message) => assert.fail(message),
      },
      nowMs: () => Date.now(),
      randomBytes: (length) => Uint8Array.from(randomBytes(length)),
      chainState: () => "synced",
      onFatal: (error) => assert.fail(error),
    });
  }

  async restart(): Promise<void> {
    await this.#down();
    await this.up();
    this.#runs.sink.synced();
    await this.#runs.published();
  }

  async end(): Promise<void> {
    await this.#down();
    await this.source.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Gives the shell every block it has not seen, and waits for what it publishes. */
  async follow(): Promise<void> {
    const { sink } = this.#runs;
    const tip = await this.source.tip();
    for (let at = must(sink.tipRing()[0], "tip").height + 1; at <= tip.height; at++) {
      const hash = must(await this.source.hashAtHeight(blockHeight(at)), "hash");
      const header = must(await this.source.header(hash), "header");
      const block = verifyBlock(header, await this.source.block(hash));
      assert.ok(block.ok);
      await sink.connected(block.value);
    }
    await this.#runs.published();
  }

  /** A funded channel whose holder this host watches. */
  async open(options: Partial<ChannelOptions>): Promise<Channel> {
    const plan = createChannel({
      ...testChannelOptions,
      curve: this.curve,
      onUpdate: async (steps) => {
        const batch = this.manager.batch(this.manager.update(channel.channelId, steps));
        const { refused } = await this.#host.submitUpdates(this.manager.who, batch);
        assert.deepEqual(refused, []);
        await this.#runs.published();
      },
      ...options,
    });
    const funding = await this.node.fund(plan.fundingScriptPubkey, plan.setup.capacitySat);
    await this.node.generateBlock([funding.txid]); // whatever it pays
    await this.follow();
    const channel = plan.open({ txid: txid(funding.txid), vout: funding.vout });
    const watched = await this.watch(channel.initialState("holder"));
    assert.ok(watched.ok, watched.ok ? "" : watched.error.message);
    return channel;
  }

  watch(initial: InitialState): ReturnType<MonitorHost["watchChannel"]> {
    return this.#host.watchChannel(this.manager.who, this.manager.watch(initial));
  }

  state({ channelId }: Channel): MonitorState {
    const view = this.#host.channel(this.manager.who, channelId);
    assert.ok(view.ok);
    return view.value.state;
  }

  async learn(channel: Channel, preimages: readonly Preimage[]): Promise<void> {
    const { channelId } = channel;
    const records = preimages.map((preimage) => ({ channelId, preimage }));
    const answer = await this.#host.putPreimages(
      this.manager.who,
      this.manager.preimages(...records),
    );
    assert.ok(answer.ok);
    await this.#runs.published();
  }

  async rows(): Promise<readonly BumpRow[]> {
    return (await must(this.#store, "store").load()).bumps;
  }

  get #runs(): RunningHost {
    return must(this.#running, "a running host");
  }
  get #host() {
    return this.#runs.host;
  }

  async #down(): Promise<void> {
    await this.#running?.stop();
    await this.#store?.close();
  }
}
