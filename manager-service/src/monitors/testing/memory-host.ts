/** A LinkHost over arrays: what a link asks for is set by the test, what it tells is recorded. */
import { must } from "@farwatch/protocol/assert";
import type { BumpItem } from "@farwatch/protocol/bump";
import type { MonitorEvent } from "@farwatch/protocol/event";
import { eventId, type ChannelId, type UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { compareCursors, type Comparison } from "../../manager/restart/cursors.js";
import type {
  AckResult,
  EventAck,
  Found,
  LinkHost,
  MonitorReceipt,
  StoredPreimage,
  StoredUpdate,
} from "../monitor-link.js";
import type { TestChannel } from "./fixtures.js";

export interface Told {
  readonly connected: string[];
  readonly disconnected: string[];
  readonly receipts: MonitorReceipt[];
  readonly refused: { readonly updateId: bigint; readonly refusal: Refusal }[];
  readonly preimages: StoredPreimage[];
  readonly preimagesRefused: { readonly record: StoredPreimage; readonly refusal: Refusal }[];
  readonly events: MonitorEvent[];
  readonly acked: { readonly ack: EventAck; readonly result: AckResult }[];
  /** With the ends of replays between them. */
  readonly bumps: (BumpItem | "end of replay")[];
  readonly comparisons: Comparison[];
  /** Whether the monitor said that it has halted the channel, at each comparison. */
  readonly halted: boolean[];
  readonly alarms: { readonly channelId: ChannelId | undefined; readonly refusal: Refusal }[];
  replays: number;
}

export class MemoryHost implements LinkHost {
  readonly told: Told = {
    connected: [],
    disconnected: [],
    receipts: [],
    refused: [],
    preimages: [],
    preimagesRefused: [],
    events: [],
    acked: [],
    bumps: [],
    comparisons: [],
    halted: [],
    alarms: [],
    replays: 0,
  };
  readonly held = new Map<ChannelId, TestChannel>();
  pending: EventAck[] = [];
  /** What the manager holds; durable ones are left out of what is asked for. */
  records: StoredPreimage[] = [];
  /** How long recording an event takes, ms. */
  eventDelayMs = 0;
  eventsUnderWay = 0;
  mostEventsUnderWay = 0;

  constructor(...channels: readonly TestChannel[]) {
    for (const channel of channels) this.accept(channel);
  }

  /** From now on this is what the manager holds of the channel. */
  accept(channel: TestChannel): void {
    this.held.set(channel.watch.channelId, channel);
  }

  #channel(channelId: ChannelId): TestChannel {
    return must(this.held.get(channelId), "channel of the host");
  }

  channels() {
    return [...this.held.values()].map(({ watch }) => watch);
  }
  head(channelId: ChannelId) {
    const { updates, watch, genesis } = this.#channel(channelId);
    const last = updates.at(-1);
    return {
      updateId: last?.updateId ?? watch.firstUpdateId,
      updateHash: last?.updateHash ?? genesis,
    };
  }
  async updates(channelId: ChannelId, from: bigint, limit: number) {
    const end = from + BigInt(limit);
    const wanted = (update: StoredUpdate): boolean =>
      update.updateId >= from && update.updateId < end;
    return this.#channel(channelId).updates.filter(wanted);
  }
  async hashAt(channelId: ChannelId, updateId: bigint) {
    return this.#channel(channelId).updates.find((update) => update.updateId === updateId)
      ?.updateHash;
  }
  pendingAcks(): readonly EventAck[] {
    return this.pending;
  }
  pendingPreimages(): readonly StoredPreimage[] {
    return this.records.filter((record) => !this.told.preimages.includes(record));
  }
  preimagesOf(_monitor: unknown, channelId: ChannelId): readonly StoredPreimage[] {
    return this.records.filter((record) => record.channelId === channelId);
  }
  async preimagesStored(_monitor: unknown, _storeId: string, records: readonly StoredPreimage[]) {
    this.told.preimages.push(...records);
  }
  preimageRefused(_monitor: unknown, record: StoredPreimage, refusal: Refusal): void {
    this.told.preimagesRefused.push({ record, refusal });
  }
  /** A monitor lost what is set here when it says less. */
  confirmed: UpdateId | undefined;
  toldBy() {
    const recorded = this.told.events.map((event) => event.eventId);
    const recordedEventId = recorded.reduce((high, id) => (id > high ? id : high), eventId(0));
    return { updateId: this.confirmed, recordedEventId };
  }
  async compared(_monitor: unknown, _storeId: unknown, found: Found): Promise<Refusal | undefined> {
    const { channelId, theirs, hashAtTheirs } = found;
    if (theirs === undefined) return undefined;
    const told = this.toldBy();
    const own = {
      acceptedId: this.head(channelId).updateId,
      hashAtTheirs,
      holderNumber: 0n,
      counterpartyNumber: 0n,
      told: found.told,
      recordedEventId: told.recordedEventId,
      knowsEvents: true,
    };
    const comparison = compareCursors(own, theirs);
    this.told.comparisons.push(comparison);
    this.told.halted.push(theirs.halted);
    const lacks = comparison.managerLacksUpdates;
    if (!comparison.isFork && lacks === 0n) return undefined;
    const refusal = comparison.isFork
      ? refuse("updateConflict", "two histories")
      : refuse("managerBehind", `behind by ${lacks} updates`);
    this.told.alarms.push({ channelId, refusal });
    return refusal;
  }
  connected(_monitor: unknown, storeId: string): void {
    this.told.connected.push(storeId);
  }
  disconnected(_monitor: unknown, reason: string): void {
    this.told.disconnected.push(reason);
  }
  async receipts(_monitor: unknown, _storeId: string, receipts: readonly MonitorReceipt[]) {
    this.told.receipts.push(...receipts);
  }
  refused(_monitor: unknown, _channelId: ChannelId, updateId: bigint, refusal: Refusal): void {
    this.told.refused.push({ updateId, refusal });
  }
  async event(_monitor: unknown, _storeId: string, event: MonitorEvent): Promise<void> {
    this.eventsUnderWay++;
    this.mostEventsUnderWay = Math.max(this.mostEventsUnderWay, this.eventsUnderWay);
    await new Promise((resolve) => setTimeout(resolve, this.eventDelayMs));
    this.eventsUnderWay--;
    this.told.events.push(event);
  }
  bump(_monitor: unknown, item: BumpItem): void {
    this.told.bumps.push(item);
  }
  endOfReplay(): void {
    this.told.replays++;
    this.told.bumps.push("end of replay");
  }
  async acked(
    _monitor: unknown,
    results: readonly { readonly ack: EventAck; readonly result: AckResult }[],
  ) {
    this.told.acked.push(...results);
  }
  alarm(_monitor: unknown, channelId: ChannelId | undefined, refusal: Refusal): void {
    this.told.alarms.push({ channelId, refusal });
  }

  /** Ids of the receipts told so far. */
  receiptIds(): readonly number[] {
    return this.told.receipts.map(({ updateId }) => Number(updateId));
  }
}

const STEP_MS = 5;
const PATIENCE_MS = 8000;

/** Waits until the condition holds; throws with `what` when it never does. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
    await pause(STEP_MS);
  }
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
