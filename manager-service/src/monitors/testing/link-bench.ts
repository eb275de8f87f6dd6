/** One link against one scripted monitor: set up, and taken down whatever the test left running. */
import { randomBytes } from "node:crypto";
import { systemLinkClock, type LinkTls } from "../link-options.js";
import { createGrpcLink } from "../grpc-link.js";
import type { MonitorLink } from "../monitor-link.js";
import { createTestAuthority } from "./certificates.js";
import * as fixtures from "./fixtures.js";
import { MemoryHost } from "./memory-host.js";
import { ScriptedMonitor } from "./scripted-monitor.js";

export const EPOCH = 4n;

const authority = createTestAuthority();

export class LinkBench {
  readonly monitor = new ScriptedMonitor();
  readonly #links: MonitorLink[] = [];

  async start(): Promise<void> {
    await this.monitor.start(await (await authority).issue("monitor"));
  }

  async link(tls?: LinkTls, address?: string): Promise<MonitorLink> {
    const link = createGrpcLink({
      name: "mon-a",
      monitorKey: fixtures.MONITOR_KEY,
      address: address ?? `localhost:${this.monitor.port}`,
      tls: tls ?? (await (await authority).issue("manager")),
      managerKey: fixtures.MANAGER_KEY,
      managerSecret: fixtures.MANAGER_SECRET,
      epoch: EPOCH,
      bootNonce: new Uint8Array(32).fill(1),
      chainHash: fixtures.CHAIN,
      curve: fixtures.CURVE,
      randomBytes: (length) => randomBytes(length),
      log: { info: () => undefined, warn: () => undefined },
      clock: systemLinkClock,
    });
    this.#links.push(link);
    return link;
  }

  /** Starts a link over the given channels. */
  async run(...channels: readonly fixtures.TestChannel[]) {
    const host = new MemoryHost(...channels);
    const link = await this.link();
    link.start(host);
    return { host, link };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.stop()));
    this.monitor.stop();
  }
}

export const strangerTls = async (): Promise<LinkTls> => (await createTestAuthority()).issue("who");
export const testTls = async (): Promise<LinkTls> => (await authority).issue("manager");
