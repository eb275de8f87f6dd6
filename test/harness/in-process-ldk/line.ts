/** A - B - C: B is watched, and its two channels are behind one manager-service with a real monitor each. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { ScriptedManager } from "@farwatch/manager-service/ldk/testing/scripted-manager";
import { InProcessNode, NodeIdentity } from "./node.js";
import { Pair } from "./pair.js";
import { PaperChain } from "./paper-chain.js";
import { RemoteMonitor } from "./remote-monitor.js";
import { WatchedNode } from "./watched-node.js";

const CHANNEL_SAT = 1_000_000n;
const FUNDING_DEPTH = 4;
const LOOK_MS = 4;
const QUIET_LOOKS = 4;
const MAX_LOOKS = 2000;

export class Line {
  private constructor(
    readonly manager: ScriptedManager,
    readonly chain: PaperChain,
    readonly b: WatchedNode,
    readonly remote: RemoteMonitor,
    readonly ab: Pair,
    readonly bc: Pair,
  ) {}

  static async open(anchors: boolean): Promise<Line> {
    const manager = new ScriptedManager();
    await manager.start();
    const chain = new PaperChain();
    const identity = (name: string, fill: number) =>
      new NodeIdentity({ name, seed: new Uint8Array(32).fill(fill), chain, anchors });
    const b = new WatchedNode(identity("B", 2), manager.address);
    const remote = new RemoteMonitor(manager, b.identity);
    await b.start();
    const ab = new Pair(chain, new InProcessNode(identity("A", 1)), b.node);
    const bc = new Pair(chain, b.node, new InProcessNode(identity("C", 3)));
    const line = new Line(manager, chain, b, remote, ab, bc);
    ab.connect();
    bc.connect();
    ab.startChannel(ab.a, CHANNEL_SAT, 0n);
    bc.startChannel(b.node, CHANNEL_SAT, 0n);
    await line.settle();
    for (let n = 0; n < FUNDING_DEPTH; n++) line.mine();
    await line.settle();
    assert.equal(b.node.manager.list_usable_channels().length, 2);
    return line;
  }

  /** One turn of B's event loop, and of everyone else's. */
  turn(): boolean {
    this.b.watch.tick();
    let moved = false;
    for (let again = true; again; moved ||= again) {
      again = [this.ab.exchange(), this.bc.exchange()].some((one) => one);
    }
    return moved;
  }

  async settle(): Promise<void> {
    for (let quiet = 0, look = 0; quiet < QUIET_LOOKS; look++) {
      assert(look < MAX_LOOKS, "the line does not settle");
      const moved = this.turn();
      const saves = this.b.watch.needsSnapshot;
      if (saves) this.b.save();
      await sleep(LOOK_MS);
      quiet = moved || saves || this.b.watch.backlog.unaccepted > 0 ? 0 : quiet + 1;
    }
  }

  /** B sees the block only when it is `awake`. */
  mine(isAwake = true): void {
    const block = this.chain.mine();
    const nodes = isAwake ? [this.ab.a, this.b.node, this.bc.b] : [this.ab.a, this.bc.b];
    for (const node of nodes) node.connectBlock(block);
    this.remote.connectBlock(block);
    for (const node of nodes) node.processEvents();
  }

  async die(): Promise<void> {
    this.ab.disconnect();
    this.bc.disconnect();
    await this.b.kill();
  }

  /** Connected to A again; C stays away. */
  async comeBack(): Promise<void> {
    const node = await this.b.start();
    this.ab.b = node;
    this.bc.a = node;
    this.ab.connect();
  }

  async close(): Promise<void> {
    await this.b.kill();
    this.manager.stop();
  }
}
