/**
 * How far each monitor is with replaying its un-acked events (persistent-events 8, "end-of-replay marker").
 * A manager that restarted knows everything again when every monitor has replayed once; later connections
 * replay what may have been missed between them.
 */
import type { MonitorKey } from "@farwatch/protocol/ids";
import type { LinkIdentity } from "../monitors/monitor-link.js";

export interface Replay {
  /** On the connection there is now. */
  readonly isDone: boolean;
  /** Events of the newest replay that ended. */
  readonly replayed: bigint;
}

const NONE: Replay = { isDone: false, replayed: 0n };

export class Replays {
  readonly #monitors: ReadonlySet<MonitorKey>;
  readonly #states = new Map<MonitorKey, Replay>();
  /** Monitors that have replayed since this process started. */
  readonly #once = new Set<MonitorKey>();

  constructor(monitors: readonly Pick<LinkIdentity, "monitorKey">[]) {
    this.#monitors = new Set(monitors.map(({ monitorKey }) => monitorKey));
  }

  begin({ monitorKey }: LinkIdentity): void {
    this.#states.set(monitorKey, { ...this.of(monitorKey), isDone: false });
  }
  interrupt(monitor: LinkIdentity): void {
    this.begin(monitor);
  }

  /** True when this was the last monitor to replay for the first time. */
  end({ monitorKey }: LinkIdentity, replayed: bigint): boolean {
    const before = this.isComplete;
    this.#states.set(monitorKey, { isDone: true, replayed });
    this.#once.add(monitorKey);
    return !before && this.isComplete;
  }

  of(monitorKey: MonitorKey): Replay {
    return this.#states.get(monitorKey) ?? NONE;
  }

  /** Every monitor has replayed at least once. */
  get isComplete(): boolean {
    return [...this.#monitors].every((monitorKey) => this.#once.has(monitorKey));
  }
}
