/**
 * A real LDK node: TCP to its peers, blocks from bitcoind, ChannelMonitors wherever its Watch keeps them. It
 * saves by the rules of ldk-lab/restart.md: whatever happened, first the ChannelManager is on disk, then what
 * waited for that leaves (R2).
 */
import { reversed, toHex } from "@farwatch/protocol/bytes";
import type { Event } from "lightningdevkit";
import { SyncRpc } from "../../fixture-recorder/chain/sync-rpc.js";
import { loadLdk } from "../../fixture-recorder/ldk/module.js";
import { broadcaster, eventHandler } from "../../fixture-recorder/ldk/traits.js";
import { Application } from "./application.js";
import { broadcast } from "./broadcast.js";
import { buildBase, buildObjects, type Base, type Objects, type Origin } from "./build.js";
import { ChainFollower } from "./chain-follower.js";
import { Disk } from "./disk.js";
import { History } from "./history.js";
import { KillPoints } from "./kill-points.js";
import { LocalWatch } from "./local-watch.js";
import type { NodeWatch } from "./node-watch.js";
import type { NodePlan } from "./protocol.js";
import { react } from "./reactions.js";
import { RemoteNodeWatch } from "./remote-node-watch.js";
import { Tcp } from "./tcp.js";

/** Milliseconds between looks at what nobody announces, such as a monitor's answer. */
const TICK_MS = 50;
/** LDK asks for "roughly every ten seconds" and "once per minute". */
const PEER_TICK_MS = 10_000;
const MANAGER_TICK_MS = 60_000;
/** More rounds than any exchange needs: reaching it means the node talks to itself in circles. */
const MAX_ROUNDS = 200;

interface Made {
  readonly base: Base;
  readonly objects: Objects;
  readonly application: Application;
  readonly watch: NodeWatch;
  readonly history: History;
  readonly chain: ChainFollower;
  readonly disk: Disk;
  readonly points: KillPoints;
}

export class LightningNode {
  readonly tcp: Tcp;
  readonly nodeId: string;
  #pumping = false;
  #stopped = false;

  private constructor(readonly made: Made) {
    const { manager, peers } = made.objects;
    this.tcp = new Tcp(peers, () => {
      made.points.pass(); // a message is handled, and nothing of that is saved yet
      this.pump();
    });
    this.nodeId = toHex(manager.get_our_node_id());
  }

  static async open(plan: NodePlan): Promise<LightningNode> {
    await loadLdk();
    const rpc = new SyncRpc(plan.bitcoind);
    const base = buildBase(plan, rpc);
    const points = new KillPoints();
    const disk = new Disk(plan.folder, () => points.pass());
    const chain = new ChainFollower(plan.bitcoind);
    const work = { pump: (): void => undefined };
    const watch = makeWatch(base, { disk, chain, onWork: () => work.pump() });
    const history = new History(base.keys, base.fees, base.log);
    const saved = disk.load();
    const monitors = await watch.restore(saved?.told);
    const origin: Origin =
      saved === undefined
        ? { kind: "fresh", tip: await chain.tip() }
        : { kind: "saved", bytes: saved.manager, monitors };
    const objects = buildObjects(base, history.around(watch.watch), origin);
    const application = new Application(saved?.app);
    const made = { base, objects, application, watch, history, chain, disk, points };
    const node = new LightningNode(made);
    work.pump = () => setImmediate(() => node.pump()); // LDK may be what called
    await node.#start();
    return node;
  }

  get isQuiet(): boolean {
    return this.made.watch.isQuiet() && this.made.history.isSettled;
  }

  async sync(): Promise<number> {
    await this.made.chain.follow(this.#listener);
    return this.made.objects.manager.current_best_block().get_height();
  }

  /**
   * Lets LDK act until nothing moves: messages, events and their reactions, a save, and with it what the save
   * releases. Synchronous from end to end, so that no save holds half of something.
   */
  pump(): void {
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    try {
      for (let round = 0; this.#round(); round++) {
        if (round > MAX_ROUNDS) throw new Error(`still moving after ${MAX_ROUNDS} rounds`);
      }
    } finally {
      this.#pumping = false;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.made.chain.stop();
    this.tcp.close();
    await this.made.watch.stop();
  }

  #round(): boolean {
    const { objects, application, watch, points } = this.made;
    objects.peers.process_events();
    watch.refresh(objects.manager);
    const events = this.#takeEvents();
    if (events.length > 0) points.pass();
    for (const event of events) this.#react(event);
    if (events.length > 0) points.pass();
    watch.poll((event) => this.#react(event));
    const mustSave = objects.manager.get_and_clear_needs_persistence();
    const saved = application.takeChanged() || watch.needsSave() || mustSave;
    if (saved) this.#save();
    return events.length > 0 || saved;
  }

  #takeEvents(): Event[] {
    const events: Event[] = [];
    const take = eventHandler((event) => events.push(event));
    this.made.objects.manager.as_EventsProvider().process_pending_events(take);
    return events;
  }

  #react(event: Event): void {
    if (!this.#stopped) react(this.made, event);
  }

  /** R2: told and manager of one moment, durable, and only then what waited for it. */
  #save(): void {
    const { objects, application, watch, disk, points } = this.made;
    const snapshot = watch.beginSnapshot();
    const manager = objects.manager.write();
    points.pass();
    disk.save({ manager, told: snapshot.told, app: application.write() });
    points.pass();
    snapshot.saved();
    points.pass();
  }

  async #start(): Promise<void> {
    const { chain, watch, objects, base } = this.made;
    await watch.start(objects.manager);
    this.#save();
    this.pump();
    await this.tcp.listen(base.plan.listenPort);
    await this.sync();
    chain.start(this.#listener, (error) => this.#fail(error));
    const every = (ms: number, act: () => void) => {
      setInterval(() => (this.#stopped ? undefined : act()), ms).unref();
    };
    every(TICK_MS, () => this.pump());
    every(PEER_TICK_MS, () => objects.peers.timer_tick_occurred());
    every(MANAGER_TICK_MS, () => objects.manager.timer_tick_occurred());
  }

  /** A node that lost its chain must not go on as if nothing happened. */
  #fail(error: unknown): void {
    if (this.#stopped) return;
    process.stderr.write(`${this.made.base.plan.name}: ${String(error)}\n`);
    process.exit(1);
  }

  readonly #listener = {
    tip: () => this.made.objects.manager.current_best_block(),
    connect: (raw: Uint8Array, height: number) => {
      this.made.points.pass();
      this.made.watch.connectBlock(raw, height);
      this.made.objects.manager.as_Listen().block_connected(raw, height);
      this.pump();
    },
    disconnect: (header: Uint8Array, height: number) => {
      this.made.objects.manager.as_Listen().block_disconnected(header, height);
      this.made.watch.disconnectBlock(header, height);
      this.pump();
    },
  };
}

interface WatchSurroundings {
  readonly disk: Disk;
  readonly chain: ChainFollower;
  readonly onWork: () => void;
}

function makeWatch(base: Base, { disk, chain, onWork }: WatchSurroundings): NodeWatch {
  const { keys, fees, log, plan, rpc } = base;
  if (plan.watch.kind === "local") {
    const ours = broadcaster((raws) => void broadcast(rpc, raws));
    return new LocalWatch({ keys, fees, log, disk, chain, broadcaster: ours });
  }
  return new RemoteNodeWatch({
    plan: plan.watch,
    readers: {
      entropySource: keys.as_EntropySource(),
      signerProvider: keys.as_SignerProvider(),
      feeEstimator: fees,
      logger: log,
    },
    onWork,
    onAlarm: (text) => process.stderr.write(`${plan.name}: alarm: ${text}\n`),
  });
}

/** "txid" in display order, as bitcoind says it. */
export const displayHash = (hash: Uint8Array): string => toHex(reversed(hash));
