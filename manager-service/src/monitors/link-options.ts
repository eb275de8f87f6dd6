/** What a link to one monitor is made of, and the clock and log it is given. */
import type { MonitorKey } from "@farwatch/protocol/ids";
import type { SignerOptions } from "./sign-updates.js";

export interface LinkTimer {
  cancel(): void;
}
export interface LinkClock {
  nowMs(): number;
  /** Runs once after `ms`, unless cancelled. */
  after(ms: number, run: () => void): LinkTimer;
}

export const systemLinkClock: LinkClock = {
  nowMs: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

export interface LinkLog {
  info(facts: Readonly<Record<string, unknown>>, message: string): void;
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
}

/** PEM bytes. */
export interface LinkTls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface LinkOptions extends SignerOptions {
  readonly name: string;
  /** The pinned key: nothing is sent to, or believed from, another one. */
  readonly monitorKey: MonitorKey;
  readonly log: LinkLog;
  readonly clock: LinkClock;
}

export interface GrpcLinkOptions extends LinkOptions {
  /** host:port; the host must be a name in the monitor's certificate, not an IP address. */
  readonly address: string;
  readonly tls: LinkTls;
}
