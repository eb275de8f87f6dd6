/** What the shell needs from outside; app.ts and the tests' entry points provide it. */
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { ManagerKey } from "@farwatch/protocol/ids";
import type { MonitorLink } from "../monitors/monitor-link.js";
import type { ManagerStore } from "../store/store.js";

export interface ManagerLog {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

/** Called at named points of the shell's order. Only test entry points install one. */
export type Failpoint = (name: string) => void | Promise<void>;

/** Calls `task` every `ms` milliseconds until the returned function is called. */
export type Repeat = (ms: number, task: () => void) => () => void;

export interface ManagerDeps {
  readonly store: ManagerStore;
  /** Every configured monitor; each channel requires all of them. */
  readonly links: readonly MonitorLink[];
  readonly curve: Curve;
  readonly managerKey: ManagerKey;
  /** Genesis block hash, internal byte order, as hex. */
  readonly chainHash: string;
  readonly clock: { nowMs(): number };
  /** Default: the process's own timers. */
  readonly repeat?: Repeat | undefined;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: ManagerLog;
  /** The store failed: memory is ahead of the disk and the process must stop. */
  readonly onFatal: (error: unknown) => void;
  readonly failpoint?: Failpoint | undefined;
}
