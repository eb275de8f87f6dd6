/**
 * The manager's shell over a real store in a temporary folder, with scripted monitor links: what is
 * sent to them is recorded, what they report is what the test says. No rules of its own.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { must } from "@farwatch/protocol/assert";
import { equalBytes } from "@farwatch/protocol/bytes";
import { encodeInitialState } from "@farwatch/protocol/convert/channel";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import type { UpdateChannelResponse } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { EventOrigin, MonitorEventBody } from "@farwatch/protocol/event";
import {
  eventId,
  hash32,
  updateId,
  type ChannelId,
  type MonitorKey,
  type Txid,
} from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, type Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";
import {
  byte,
  CHAIN_HASH,
  CHANNEL,
  CONTEXT,
  GOOD_SECRET,
  holder,
  initialState,
  MONITOR_A,
  MONITOR_B,
  NODE,
  ON_CHAIN,
  STORE_A,
  STORE_B,
} from "../../manager/testing/scene.js";
import type {
  BumpAnswer,
  EventAck,
  LinkHost,
  MonitorLink,
  StoredPreimage,
  StoredUpdate,
  StoredWatch,
} from "../../monitors/monitor-link.js";
import { openManagerStore } from "../../store/sqlite/sqlite-store.js";
import type { ManagerStore } from "../../store/store.js";
import type { Closable, ManagerHost, NodePrincipal } from "../manager-host.js";
import { createManagerHost, type RunningManager } from "../manager.js";

export const WHO: NodePrincipal = { name: "node", nodeKey: NODE, admin: false };

export class ScriptedLink implements MonitorLink {
  readonly watched: StoredWatch[] = [];
  readonly sent: StoredUpdate[] = [];
  readonly preimages: StoredPreimage[] = [];
  readonly acked: EventAck[] = [];
  readonly bumpAnswers: BumpAnswer[] = [];
  /** What the monitor says to an answer of a wallet. */
  bumpVerdict: Result<Txid, Refusal> = err(refuse("unimplemented", "scripted"));
  #host: LinkHost | undefined;
  readonly #events = new Map<ChannelId, number>();

  constructor(
    readonly name: string,
    readonly monitorKey: MonitorKey,
  ) {}

  get host(): LinkHost {
    return must(this.#host, "started");
  }
  get #storeId() {
    return this.monitorKey === MONITOR_A ? STORE_A : STORE_B;
  }
  start(host: LinkHost): void {
    this.#host = host;
  }
  watch(watch: StoredWatch): void {
    this.watched.push(watch);
  }
  send(updates: readonly StoredUpdate[]): void {
    this.sent.push(...updates);
  }
  putPreimages(records: readonly StoredPreimage[]): void {
    this.preimages.push(...records);
  }
  ack(acks: readonly EventAck[]): void {
    this.acked.push(...acks);
  }
  broadcastHolder() {
    return Promise.resolve(err(refuse("unimplemented", "scripted")));
  }
  signBump(answer: BumpAnswer): Promise<Result<Txid, Refusal>> {
    this.bumpAnswers.push(answer);
    return Promise.resolve(this.bumpVerdict);
  }
  channel() {
    return Promise.resolve(undefined);
  }
  status() {
    return { connected: true, storeId: this.#storeId, tipHeight: 7, lastError: undefined };
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }

  /** The monitor says that everything up to `id` is durable. */
  async receipt(
    id: number,
    more: { watermark?: number; closed?: boolean; on?: ChannelId } = {},
  ): Promise<void> {
    const { on = CHANNEL } = more;
    const hash = must(await this.host.hashAt(on, updateId(id)), "hash");
    const receipt = {
      channelId: on,
      updateId: updateId(id),
      updateHash: hash,
      status: more.closed === true ? ("appliedAfterClose" as const) : ("persisted" as const),
      eventWatermark: eventId(more.watermark ?? 0),
      header: new Uint8Array([id]),
    };
    await this.host.receipts(this, this.#storeId, [receipt]);
  }

  async event(
    body: MonitorEventBody,
    origin: EventOrigin = ON_CHAIN,
    on: ChannelId = CHANNEL,
  ): Promise<void> {
    const id = (this.#events.get(on) ?? 0) + 1;
    this.#events.set(on, id);
    await this.host.event(this, this.#storeId, {
      channelId: on,
      eventId: eventId(id),
      eventHash: hash32(byte(id)),
      subjectKey: hash32(byte(body.kind.length)),
      header: new Uint8Array(),
      payload: new Uint8Array(),
      signature: new Uint8Array(64),
      createdAtMs: 1_000 * id,
      body,
      origin,
    });
  }
}

/** What one UpdateChannel stream was told, in words. */
export class ToldUpdates {
  readonly told: string[] = [];
  /** Item watermark of the newest completed. */
  itemWatermark: bigint | undefined;
  ended: Refusal | undefined;

  tell({ item }: UpdateChannelResponse): void {
    if (item?.$case === "accepted") this.told.push(`accepted ${item.value.updateId}`);
    if (item?.$case === "completed") {
      this.itemWatermark = item.value.itemWatermark;
      this.told.push(`completed ${item.value.updateId}${item.value.closed ? " closed" : ""}`);
    }
    if (item?.$case === "refused") this.told.push(`refused ${item.value.error?.reason ?? ""}`);
  }
  end(refusal: Refusal | undefined): void {
    this.ended = refusal;
  }
}

export class ToldItems {
  readonly items: Item[] = [];
  replayed: number | undefined;
  lastItemId: bigint | undefined;
  bumpsKnownOf: readonly string[] = [];
  ended: Refusal | undefined;
  item(item: Item): Promise<void> {
    this.items.push(item);
    return Promise.resolve();
  }
  replayDone(replayed: number, bumpsKnownOf: readonly string[], lastItemId: bigint): Promise<void> {
    this.replayed = replayed;
    this.lastItemId = lastItemId;
    this.bumpsKnownOf = bumpsKnownOf;
    return Promise.resolve();
  }
  end(refusal: Refusal | undefined): void {
    this.ended = refusal;
  }
  get keys(): readonly string[] {
    return this.items.map(({ semanticKey }) => semanticKey);
  }
}

/** A store whose commits wait while it is held. */
export class SlowStore {
  #held: Promise<void> = Promise.resolve();
  release: () => void = () => undefined;

  hold(): void {
    this.#held = new Promise((resolve) => (this.release = resolve));
  }
  readonly wrap = (store: ManagerStore): ManagerStore => ({
    load: () => store.load(),
    range: (...call) => store.range(...call),
    close: () => store.close(),
    transact: async (changes) => {
      await this.#held;
      await store.transact(changes);
    },
  });
}

/** GOOD_SECRET opens every point of these tests, as in the core's. */
const CURVE: Curve = {
  ...nobleCurve,
  publicKey: (secret) =>
    equalBytes(secret, GOOD_SECRET) ? holder(0).perCommitmentPoint : nobleCurve.publicKey(secret),
};

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

export class Bench {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "farwatch-manager-"));
  readonly fatal: unknown[] = [];
  #drawn = 1;
  /** Monitor b is not configured. */
  alone = false;
  a = new ScriptedLink("a", MONITOR_A);
  b = new ScriptedLink("b", MONITOR_B);
  #running: RunningManager | undefined;

  get host(): ManagerHost {
    return this.running.host;
  }
  get running(): RunningManager {
    return must(this.#running, "started");
  }

  /** Starts, or starts again after stop(), from what is on disk. */
  async start(wrap: (store: ManagerStore) => ManagerStore = (store) => store): Promise<void> {
    const { managerKey } = CONTEXT;
    const file = path.join(this.#folder, "manager.db");
    const store = wrap(await openManagerStore({ file, chainHash: CHAIN_HASH, managerKey }));
    this.a = new ScriptedLink("a", MONITOR_A);
    this.b = new ScriptedLink("b", MONITOR_B);
    this.#running = await createManagerHost({
      store,
      links: this.alone ? [this.a] : [this.a, this.b],
      curve: CURVE,
      managerKey,
      chainHash: CHAIN_HASH,
      clock: { nowMs: () => 1 },
      randomBytes: (length) => new Uint8Array(length).fill(this.#drawn++),
      log: silent,
      onFatal: (error) => this.fatal.push(error),
    });
    this.#running.start();
  }
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }
  /** Stops what a failed test left running, too. */
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  watch(on: ChannelId = CHANNEL) {
    const bytes = encodeInitialState(initialState([], on));
    return this.host.watchChannel(WHO, { kind: "initialState", bytes }, updateId(1));
  }
  /** Watched, and durable on both monitors. */
  async opened(on: ChannelId = CHANNEL): Promise<void> {
    await this.watch(on);
    await this.durable(0, on);
  }
  /** On both monitors. */
  async durable(id: number, on: ChannelId = CHANNEL): Promise<void> {
    await this.a.receipt(id, { on });
    await this.b.receipt(id, { on });
  }
  update(id: number, steps: readonly UpdateStep[], on: ChannelId = CHANNEL): Promise<void> {
    const payload = encodeUpdatePayload(steps);
    return this.host.update(WHO, { channelId: on, updateId: updateId(id), payload });
  }
  updates(): { readonly stream: ToldUpdates; readonly open: Closable } {
    const stream = new ToldUpdates();
    return { stream, open: this.host.updateStream(WHO, stream) };
  }
  subscribe(): { readonly items: ToldItems; readonly open: Closable } {
    const items = new ToldItems();
    return { items, open: this.host.subscribe(WHO, items) };
  }
}

/** Lets promises that are ready run. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
