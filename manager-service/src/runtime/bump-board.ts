/**
 * What the monitors ask the nodes' wallets to pay for now (contract 2.19): the newest request of each
 * (monitor, channel, claim), as the node receives it. Level-triggered and in memory only: every connection
 * to a monitor begins with all that are open there, so whatever that replay leaves out is over. While a
 * monitor is away its requests stand: its claims do not end by that. Requests of several monitors are never
 * merged, because each answer is checked by the one that asked.
 */
import { claimIdOf, type BumpItem } from "@farwatch/protocol/bump";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import type { ChannelId, MonitorKey } from "@farwatch/protocol/ids";
import type { Tables } from "../manager/draft.js";
import type { LinkIdentity } from "../monitors/monitor-link.js";
import { bumpKey, bumpToWire } from "./bump-to-wire.js";

/** One of a monitor and channel: a commitment, and 483 HTLCs each way (BOLT 2) that share no claim. */
export const MAX_OPEN_CLAIMS = 1 + 2 * 483;

/** Why a request was not kept. */
export type BumpFault = "not a channel of this monitor" | "too many open claims";

/** An open request; another object when a newer one came. */
export interface OpenBump {
  readonly item: Item;
  /** What will say that it is over. */
  readonly ended: Item;
}

interface Entry extends OpenBump {
  readonly monitorKey: MonitorKey;
  readonly nodeKey: string;
  readonly channelId: ChannelId;
}

export class BumpBoard {
  readonly #tables: Pick<Tables, "channel">;
  readonly #nowMs: () => number;
  readonly #open = new Map<string, Entry>();
  /** Keys told in a replay that has not ended, by monitor. */
  readonly #replays = new Map<MonitorKey, Set<string>>();
  /** Names of monitors that told all of theirs since the start. */
  readonly #known = new Set<string>();
  /** Called after every change. */
  onChange: (nodeKey: string, key: string) => void = () => undefined;

  constructor(tables: Pick<Tables, "channel">, nowMs: () => number) {
    this.#tables = tables;
    this.#nowMs = nowMs;
  }

  /** A new connection. */
  replayBegins({ monitorKey }: LinkIdentity): void {
    this.#replays.set(monitorKey, new Set());
  }

  replayEnds({ name, monitorKey }: LinkIdentity): void {
    const told = this.#replays.get(monitorKey);
    if (told === undefined) return;
    this.#known.add(name);
    this.#replays.delete(monitorKey);
    for (const [key, open] of [...this.#open]) {
      if (open.monitorKey === monitorKey && !told.has(key)) this.#remove(key);
    }
  }

  /** undefined: kept, or ended as it says. */
  put(monitor: LinkIdentity, item: BumpItem): BumpFault | undefined {
    const { name, monitorKey } = monitor;
    const { channelId } = item;
    const row = this.#tables.channel.get(channelId);
    if (row?.requiredMonitors.includes(monitorKey) !== true) return "not a channel of this monitor";
    const key = bumpKey(name, channelId, claimIdOf(item));
    if ("ended" in item) {
      this.#remove(key);
      return undefined;
    }
    if (!this.#open.has(key) && this.#isFull(monitorKey, channelId)) return "too many open claims";
    this.#replays.get(monitorKey)?.add(key);
    const { nodeKey } = row;
    const nowMs = this.#nowMs();
    this.#open.set(key, {
      monitorKey,
      nodeKey,
      channelId,
      item: bumpToWire(name, item, nowMs),
      ended: bumpToWire(name, { channelId, ended: item.request.claimId }, nowMs),
    });
    this.onChange(nodeKey, key);
    return undefined;
  }

  /** Of other monitors it is not known what is open. */
  knownOf(): readonly string[] {
    return [...this.#known];
  }

  keysOf(nodeKey: string): readonly string[] {
    return [...this.#open].filter(([, open]) => open.nodeKey === nodeKey).map(([key]) => key);
  }

  get(key: string): OpenBump | undefined {
    return this.#open.get(key);
  }

  #isFull(monitorKey: MonitorKey, channelId: ChannelId): boolean {
    let count = 0;
    for (const open of this.#open.values()) {
      if (open.monitorKey === monitorKey && open.channelId === channelId) count += 1;
    }
    return count >= MAX_OPEN_CLAIMS;
  }

  #remove(key: string): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    this.onChange(open.nodeKey, key);
  }
}
