/** A watched node A, its peer B with a ChainMonitor of its own, and the scripted manager-service behind A. */
import assert from "node:assert/strict";
import type { RemoteWatchOptions } from "@farwatch/manager-service/ldk";
import { ScriptedManager } from "@farwatch/manager-service/ldk/testing/scripted-manager";
import { InProcessNode, NodeIdentity } from "./node.js";
import { Pair } from "./pair.js";
import { PaperChain } from "./paper-chain.js";
import { RemoteMonitor } from "./remote-monitor.js";
import { mine, settle } from "./settle.js";
import { WatchedNode } from "./watched-node.js";

export interface Stage {
  readonly manager: ScriptedManager;
  readonly chain: PaperChain;
  readonly a: WatchedNode;
  readonly pair: Pair;
  /** LDK's log of both nodes. */
  readonly lines: string[];
}

export interface StageOptions {
  readonly anchors?: boolean;
  /** A real ChannelMonitor behind the manager-service. */
  readonly monitored?: boolean;
  readonly watch?: Partial<RemoteWatchOptions>;
}

const CHANNEL_SAT = 1_000_000n;
const PUSH_MSAT = 400_000_000n;
const FUNDING_DEPTH = 4;
const stages: Stage[] = [];

export async function stage({ anchors = false, watch }: StageOptions = {}): Promise<Stage> {
  const manager = new ScriptedManager();
  await manager.start();
  const chain = new PaperChain();
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const identity = (name: string, fill: number) =>
    new NodeIdentity({ name, seed: new Uint8Array(32).fill(fill), chain, anchors, log });
  const a = new WatchedNode(identity("A", 1), manager.address, watch);
  await a.start();
  const pair = new Pair(chain, a.node, new InProcessNode(identity("B", 2)));
  pair.connect();
  const made = { manager, chain, a, pair, lines };
  stages.push(made);
  return made;
}

/** With a channel that both sides use, 400,000 of its 1,000,000 sat on B's side. */
export async function openedChannel(options: StageOptions = {}) {
  const made = await stage(options);
  const remote = options.monitored === true ? remoteOf(made) : undefined;
  const { pair, a } = made;
  pair.startChannel(a.node, CHANNEL_SAT, PUSH_MSAT);
  await settle(pair, a);
  await mine(pair, a, FUNDING_DEPTH);
  assert.equal(a.node.manager.list_usable_channels().length, 1);
  return { ...made, remote };
}

function remoteOf({ manager, a, pair }: Stage): RemoteMonitor {
  const remote = new RemoteMonitor(manager, a.identity);
  pair.followers.push((block) => remote.connectBlock(block));
  return remote;
}

/** Dies and comes back from its disk; connected to its peer again. */
export async function restart({ a, pair }: Stage): Promise<void> {
  pair.disconnect();
  await a.kill();
  pair.a = await a.start();
  await settle(pair, a);
  pair.connect();
  await settle(pair, a);
}

/** After each test. */
export async function closeStages(): Promise<void> {
  for (const { a, manager } of stages.splice(0)) {
    await a.kill();
    manager.stop();
  }
}
