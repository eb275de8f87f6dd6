/**
 * One regtest bitcoind for a test: own temporary folder, own loopback ports, a wallet that is created
 * and funded when first needed. Ends with the test process (children.ts).
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { assert, must } from "@farwatch/protocol/assert";
import { BitcoindRpc, RpcRefusal } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { ownFolder, removeFolder } from "./children.js";
import { freePort } from "./ports.js";
import * as proc from "./process.js";
import { RegtestWallet, type Funding } from "./wallet.js";

export interface RegtestOptions {
  /** Publish hashblock over ZMQ. Default: false. */
  readonly zmq?: boolean;
  /** Accept P2P connections on loopback (for connectTo). Default: false. */
  readonly p2p?: boolean;
  /** Serve REST. Default: true. */
  readonly rest?: boolean;
  readonly extraArgs?: readonly string[];
}

/** Another test may take a port between our look and bitcoind's bind. */
const START_ATTEMPTS = 3;

export async function startRegtest(options: RegtestOptions = {}): Promise<Regtest> {
  for (let attempt = 1; ; attempt++) {
    const node = await Regtest.prepare(options);
    try {
      await node.start();
      await node.assertStandardness();
      return node;
    } catch (error) {
      await node.stop();
      const portTaken = error instanceof Error && /bind|ZMQ/i.test(error.message);
      if (!portTaken || attempt >= START_ATTEMPTS) throw error;
    }
  }
}

export class Regtest {
  readonly wallet: RegtestWallet;
  readonly #rpc: BitcoindRpc;
  #running: proc.RunningNode | undefined;

  private constructor(readonly plan: proc.NodePlan) {
    const { user, password } = plan;
    this.#rpc = new BitcoindRpc({
      url: this.rpcUrl,
      auth: { kind: "password", user, password },
    });
    this.wallet = new RegtestWallet((method, params, wallet) => this.rpc(method, params, wallet));
  }

  static async prepare(options: RegtestOptions): Promise<Regtest> {
    const datadir = mkdtempSync(path.join(os.tmpdir(), "farwatch-regtest-"));
    ownFolder(datadir);
    return new Regtest({
      datadir,
      rpcPort: await freePort(),
      user: "farwatch",
      password: randomBytes(16).toString("hex"),
      p2pPort: options.p2p === true ? await freePort() : undefined,
      zmqHashblock: options.zmq === true ? `tcp://127.0.0.1:${await freePort()}` : undefined,
      rest: options.rest ?? true,
      extraArgs: options.extraArgs ?? [],
    });
  }

  get rpcPort(): number {
    return this.plan.rpcPort;
  }
  get rpcUrl(): string {
    return `http://127.0.0.1:${this.plan.rpcPort}`;
  }
  get datadir(): string {
    return this.plan.datadir;
  }
  get cookiePath(): string {
    return path.join(this.plan.datadir, "regtest", ".cookie");
  }
  get user(): string {
    return this.plan.user;
  }
  get password(): string {
    return this.plan.password;
  }
  get zmqHashblock(): string | undefined {
    return this.plan.zmqHashblock;
  }
  get pid(): number {
    return must(this.#running, "a running bitcoind").pid;
  }
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  async rpc(method: string, params: readonly unknown[] = [], wallet?: string): Promise<unknown> {
    return this.#rpc.call(method, params, wallet === undefined ? {} : { wallet });
  }

  async start(): Promise<void> {
    assert(this.#running === undefined, "bitcoind runs already");
    const node = await proc.startProcess(this.plan, this.#rpc);
    this.#running = node;
    void node.ended.then(() => {
      if (this.#running === node) this.#running = undefined;
    });
  }

  /** Ends the process in order and keeps its folder, for start(). */
  async halt(): Promise<void> {
    if (this.#running !== undefined) await proc.stopProcess(this.#running, this.#rpc);
  }

  /** Ends the process in order and removes its folder. */
  async stop(): Promise<void> {
    await this.halt();
    removeFolder(this.plan.datadir);
  }

  /**
   * SIGKILL, folder kept, for start(). bitcoind forgets what it has not flushed: after this the chain
   * may be shorter, down to genesis. Call flush() first when that is not what is tested.
   */
  async kill9(): Promise<void> {
    if (this.#running !== undefined) await proc.killProcess(this.#running);
  }

  /** Writes the chain state to disk (gettxoutsetinfo does so before it counts). */
  async flush(): Promise<void> {
    await this.rpc("gettxoutsetinfo", ["none"]);
  }

  /** Same folder, same ports, new cookie. */
  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  /** SIGSTOP: connections stay open and nothing answers. Resolves when every thread has stopped. */
  async pause(): Promise<void> {
    const { pid } = this;
    process.kill(pid, "SIGSTOP");
    await proc.untilStopped(pid);
  }

  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** Mines n blocks to the address (default: the wallet's) and returns their hashes. */
  async mine(n = 1, address?: string): Promise<readonly string[]> {
    const to = address ?? (await this.wallet.miningAddress());
    return strings(await this.rpc("generatetoaddress", [n, to]));
  }

  /** Mines one block with exactly these transactions (raw hex, or txid of one in the mempool). */
  async generateBlock(transactions: readonly string[] = [], address?: string): Promise<string> {
    const to = address ?? (await this.wallet.miningAddress());
    const answer = await this.rpc("generateblock", [to, transactions]);
    assert(typeof answer === "object" && answer !== null && "hash" in answer, "generateblock");
    return String(answer.hash);
  }

  /** Mines n blocks without transactions, whatever the mempool holds. */
  async mineEmpty(n = 1): Promise<readonly string[]> {
    const hashes: string[] = [];
    for (let i = 0; i < n; i++) hashes.push(await this.generateBlock());
    return hashes;
  }

  getNewAddress(): Promise<string> {
    return this.wallet.getNewAddress();
  }

  /** Pays a script or an address from mined coins; the transaction waits in the mempool. */
  fund(to: Uint8Array | string, amountSat: bigint): Promise<Funding> {
    return this.wallet.fund(to, amountSat);
  }

  async height(): Promise<number> {
    return Number(await this.rpc("getblockcount"));
  }

  async bestHash(): Promise<string> {
    return String(await this.rpc("getbestblockhash"));
  }

  async mempool(): Promise<readonly string[]> {
    return strings(await this.rpc("getrawmempool"));
  }

  /** Blocks mined next pay another address: else they could be the invalid ones, byte for byte. */
  async invalidateBlock(hash: string): Promise<void> {
    this.wallet.forgetMiningAddress();
    await this.rpc("invalidateblock", [hash]);
  }

  async reconsiderBlock(hash: string): Promise<void> {
    await this.rpc("reconsiderblock", [hash]);
  }

  /** Both nodes need `p2p: true`. Returns when the connection stands. */
  async connectTo(other: Regtest): Promise<void> {
    const address = `127.0.0.1:${must(other.plan.p2pPort, "other.p2pPort (start it with p2p: true)")}`;
    await this.rpc("addnode", [address, "add"]);
  }

  async disconnectFrom(other: Regtest): Promise<void> {
    const address = `127.0.0.1:${must(other.plan.p2pPort, "other.p2pPort")}`;
    await this.rpc("addnode", [address, "remove"]);
    await this.rpc("disconnectnode", [address]).catch((error: unknown) => {
      if (!(error instanceof RpcRefusal)) throw error; // refused: it was not connected
    });
  }

  /** A node that relays anything would make every policy test pass. */
  async assertStandardness(): Promise<void> {
    // Version 99, one unknown input, one 1000-sat P2WSH output: only standardness refuses it as "version".
    const nonStandard =
      `63000000` +
      `01${"11".repeat(32)}00000000` +
      "00ffffffff" +
      `01e803000000000000220020${"22".repeat(32)}` +
      "00000000";
    const [verdict] = arrayOf(await this.rpc("testmempoolaccept", [[nonStandard]]));
    const reason =
      typeof verdict === "object" && verdict !== null && "reject-reason" in verdict
        ? verdict["reject-reason"]
        : undefined;
    assert(
      reason === "version",
      `bitcoind must refuse non-standard transactions; it said ${reason}`,
    );
  }
}

function arrayOf(value: unknown): readonly unknown[] {
  assert(Array.isArray(value), "expected a list");
  return value;
}
const strings = (value: unknown): readonly string[] => arrayOf(value).map(String);
