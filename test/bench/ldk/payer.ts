/**
 * The node under measurement: an LDK node whose ChannelMonitors are kept by the Watch it is given, and whose
 * ChannelManager is written to disk, at most as often as is asked for.
 */
import { InProcessNode, type NodeIdentity } from "../../harness/in-process-ldk/node.js";
import { Disk } from "../../harness/ldk-node/disk.js";
import type { NodeWatch } from "../../harness/ldk-node/node-watch.js";
import { TimedWatch, type Listener } from "./timed-watch.js";

export interface PayerOptions {
  readonly identity: NodeIdentity;
  readonly watch: NodeWatch;
  /** Where the ChannelManager is written; undefined: nowhere. */
  readonly folder: string | undefined;
  readonly listener?: Listener;
}

export interface Saving {
  /** changed: when LDK says so (as its BackgroundProcessor does) or the watch. asked: only when the watch does. */
  readonly when: "changed" | "asked";
  /** Ms at least between the begin of two saves; 0: in every turn of the event loop that has something new. */
  readonly everyMs: number;
}

export class Payer {
  readonly node: InProcessNode;
  readonly timed: TimedWatch;
  saving: Saving = { when: "changed", everyMs: 0 };
  saves = 0;
  readonly #disk: Disk | undefined;
  #lastSave = 0;
  #isChanged = false;

  private constructor(private readonly options: PayerOptions) {
    const { identity, watch, folder, listener } = options;
    this.timed = new TimedWatch(watch.watch, listener);
    this.node = new InProcessNode(identity, this.timed.watch);
    this.#disk = folder === undefined ? undefined : new Disk(folder);
  }

  static async start(options: PayerOptions): Promise<Payer> {
    await options.watch.restore(undefined);
    const payer = new Payer(options);
    await options.watch.start(payer.node.manager);
    return payer;
  }

  /** After anything happened. True when a save was made. */
  keep(): boolean {
    this.#isChanged =
      isTrue(this.node.manager.get_and_clear_needs_persistence()) || this.#isChanged;
    if (this.saveDueMs !== 0) return false;
    this.#save();
    return true;
  }

  /** Ms until keep() may save; undefined: nothing waits for it. */
  get saveDueMs(): number | undefined {
    const { when, everyMs } = this.saving;
    const isChanged = when === "changed" && this.#isChanged;
    if (!isChanged && !this.options.watch.needsSave()) return undefined;
    return Math.max(0, everyMs - (performance.now() - this.#lastSave));
  }

  /** Nothing is under way between LDK and whoever keeps its monitors. */
  get isQuiet(): boolean {
    return this.timed.outstanding === 0 && this.options.watch.isQuiet();
  }

  /** To the ChannelManager and to whoever keeps its monitors. */
  connectBlock(raw: Uint8Array, height: number): void {
    this.options.watch.connectBlock(raw, height);
    this.node.manager.as_Listen().block_connected(raw, height);
  }

  stop(): Promise<void> {
    return this.options.watch.stop();
  }

  #save(): void {
    this.#lastSave = performance.now();
    this.#isChanged = false;
    this.saves += 1;
    const { told, saved } = this.options.watch.beginSnapshot();
    if (this.#disk === undefined) return saved();
    this.#disk.save({ manager: this.node.manager.write(), told, app: "" });
    saved();
  }
}

/** The package answers 1 or 0, whatever its type says. */
const isTrue = (answer: boolean): boolean => Boolean(answer);
