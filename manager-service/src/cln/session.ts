/**
 * One connection of the plugin to the manager-service, as its node: first states, penalties, what became
 * durable, and what monitors told. It ends as a whole when any part fails; what is not durable by then is in
 * the queue and goes again.
 */
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { detailToRefusal } from "@farwatch/protocol/convert/error";
import { encodePenaltyOnly } from "@farwatch/protocol/convert/penalty-only";
import {
  Role,
  type Refused,
  type SubscribeResponse,
  type UpdateChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, type ChannelId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { isPassing } from "../ldk/errors.js";
import { ConnectionLost, lostBy, type ManagerRpc, type UpdateStream } from "../ldk/manager-rpc.js";
import { inWords, type Told } from "./items.js";
import type { PenaltyQueue, QueuedUpdate } from "./queue.js";

/** Updates without an answer: bounds memory; a round trip carries as many. */
export const MAX_IN_FLIGHT = 256;
/** Rows read from the queue at once. */
const PAGE_ROWS = 64;

export interface SessionHost {
  connected(): void;
  /** These rows of the queue are over. */
  durable(rowIds: readonly number[]): void;
  told(told: Told): void;
}

export interface SessionParts {
  readonly queue: PenaltyQueue;
  readonly host: SessionHost;
  readonly nodeKey: Uint8Array;
  readonly nodeEpoch: bigint;
  readonly chainHash: string;
  nowMs(): number;
}

interface Lane {
  /** stopped: refused for good, nothing is sent before the next session. */
  state: "watching" | "open" | "stopped";
  nextId: bigint;
  afterRow: number;
}

export class Session {
  readonly #rpc: ManagerRpc;
  readonly #parts: SessionParts;
  readonly #lanes = new Map<ChannelId, Lane>();
  readonly #tasks = new Set<Promise<void>>();
  #stream: UpdateStream | undefined;
  #lost: ConnectionLost | undefined;
  #inFlight = 0;

  constructor(rpc: ManagerRpc, parts: SessionParts) {
    this.#rpc = rpc;
    this.#parts = parts;
  }

  /** Resolves with why it ended, when all of it has ended. */
  async run(): Promise<ConnectionLost> {
    this.#spawn(() => this.#serve());
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks);
    return this.#lost ?? new ConnectionLost("ended");
  }

  fail(error: unknown): void {
    if (this.#lost !== undefined) return;
    this.#lost = lostBy(error);
    this.#rpc.close();
  }

  /** Something of this channel was queued. */
  pump(id: ChannelId): void {
    if (this.#stream === undefined || this.#lost !== undefined) return;
    const lane = this.#lanes.get(id);
    if (lane === undefined) this.#spawn(() => this.#watch(id));
    else if (lane.state === "open") this.#send(id, lane, this.#stream);
  }

  async #serve(): Promise<void> {
    const { queue, host, nodeKey, nodeEpoch } = this.#parts;
    const opened = await this.#rpc.openNodeSession({
      nodeKey: Buffer.from(nodeKey),
      nodeEpoch,
      role: Role.NODE_RESOLVES,
      ldkVersion: undefined,
      channels: [],
    });
    if (!opened.ok) throw new ConnectionLost(opened.error.message, opened.error);
    if (this.#lost !== undefined) return;
    const stream = this.#rpc.updateChannel();
    this.#stream = stream;
    this.#spawn(() => this.#readAnswers(stream));
    this.#spawn(() => this.#readItems());
    host.connected();
    for (const id of queue.channels()) this.pump(id);
  }

  async #watch(id: ChannelId): Promise<void> {
    const { queue, chainHash } = this.#parts;
    const lane: Lane = { state: "watching", nextId: 0n, afterRow: 0 };
    this.#lanes.set(id, lane);
    const first = encodePenaltyOnly({ channelId: id, chainHash, counterpartyNodeId: undefined });
    const answer = await this.#rpc.watchChannel({
      initialState: Buffer.from(first),
      firstUpdateId: 1n,
      ldkMonitor: undefined,
    });
    if (!answer.ok) return this.#refused(id, answer.error);
    const { acceptedId } = answer.value;
    const durable = queue.durableId(id);
    if (acceptedId < durable) {
      const text = `the manager-service has updates up to ${acceptedId}, ${durable} was durable: it is an older copy`;
      return this.#refused(id, refuse("managerBehind", text));
    }
    lane.nextId = acceptedId + 1n;
    lane.afterRow = queue.lastNumbered(id, acceptedId);
    lane.state = "open";
    this.pump(id);
  }

  /** Numbers are on disk before they are used: a row keeps its own, once it is accepted. */
  #send(id: ChannelId, lane: Lane, stream: UpdateStream): void {
    const { queue } = this.#parts;
    while (this.#inFlight < MAX_IN_FLIGHT) {
      const room = Math.min(PAGE_ROWS, MAX_IN_FLIGHT - this.#inFlight);
      const rows = queue.rows(id, lane.afterRow, room);
      if (rows.length === 0) return;
      const first = lane.nextId;
      const numbered = rows.map((row, index) => ({ ...row, next: first + BigInt(index) }));
      const changed = numbered.filter(({ updateId, next }) => updateId !== next);
      if (changed.length > 0) queue.number(changed.map(({ rowId, next }) => [rowId, next]));
      for (const row of numbered) this.#write(stream, row, row.next);
      lane.nextId += BigInt(rows.length);
      lane.afterRow = rows.at(-1)?.rowId ?? lane.afterRow;
    }
  }

  #write(stream: UpdateStream, { channelId: id, payload }: QueuedUpdate, updateId: bigint): void {
    this.#inFlight += 1;
    stream.write({
      channelId: Buffer.from(fromHex(id)),
      updateId,
      payload: { $case: "typed", value: Buffer.from(payload) },
    });
  }

  async #readAnswers(stream: UpdateStream): Promise<void> {
    const { queue, host } = this.#parts;
    const messages: AsyncIterable<UpdateChannelResponse> = stream;
    for await (const { item } of messages) {
      if (this.#lost !== undefined) return;
      if (item?.$case === "accepted") this.#answered();
      else if (item?.$case === "completed") {
        const { channelId: id, updateId } = item.value;
        host.durable(queue.durable(channelId(toHex(id)), updateId));
      } else if (item?.$case === "refused") this.#refusedUpdate(item.value);
    }
    throw new ConnectionLost("the manager-service ended the update stream");
  }

  /** Rows wait for an answer only while too much is under way: then any answer makes room, a refusal too. */
  #answered(): void {
    const wasFull = this.#inFlight >= MAX_IN_FLIGHT;
    this.#inFlight -= 1;
    if (wasFull) for (const id of this.#lanes.keys()) this.pump(id);
  }

  #refusedUpdate({ channelId: id, updateId, error }: Refused): void {
    const unnamed = refuse("malformed", "the manager-service refused without a reason");
    const refusal = error === undefined ? unnamed : detailToRefusal(error);
    const text = `update ${updateId}: ${refusal.message}`;
    this.#refused(channelId(toHex(id)), { ...refusal, message: text });
    this.#answered();
  }

  /** The rows stay; the next session tries again. Other channels go on. */
  #refused(id: ChannelId, refusal: Refusal): void {
    if (isPassing(refusal)) throw new ConnectionLost(refusal.message, refusal);
    const lane = this.#lanes.get(id);
    if (lane === undefined || lane.state === "stopped") return;
    lane.state = "stopped";
    const text = `channel ${id} is not protected by new penalties: ${refusal.reason}: ${refusal.message}`;
    this.#parts.host.told({ level: "broken", text });
  }

  async #readItems(): Promise<void> {
    const messages: AsyncIterable<SubscribeResponse> = this.#rpc.subscribe();
    for await (const { item } of messages) {
      if (this.#lost !== undefined) return;
      if (item?.$case !== "event") continue;
      const { itemId } = item.value;
      // 0: level-triggered, nothing is done with it. A wallet is not asked by penalty-only channels.
      if (itemId > 0n) await this.#handle(itemId, inWords(item.value));
    }
    throw new ConnectionLost("the manager-service ended the subscription");
  }

  /** Done, and so acked at the monitors, once it is on this disk. */
  async #handle(itemId: bigint, told: Told): Promise<void> {
    const { queue, host, nowMs } = this.#parts;
    if (queue.tell(itemId, told.text, nowMs())) host.told(told);
    const handled = { $case: "handled", value: {} } as const;
    const answer = await this.#rpc.done({ items: [{ itemId, answer: handled }] });
    if (!answer.ok) throw new ConnectionLost(answer.error.message, answer.error);
  }

  #spawn(task: () => Promise<void>): void {
    if (this.#lost !== undefined) return;
    const running = task()
      .catch((error: unknown) => this.fail(error))
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }
}
