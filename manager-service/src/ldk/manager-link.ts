/**
 * Keeps a node connected to its manager-service, for ever: session, first states and updates that are not
 * accepted, Subscribe, and the Dones that were not answered. A connection that fails in any part ends as a
 * whole and a new one is tried after a back-off; what was not accepted is sent again with the same bytes,
 * which is safe (contract section 1: same id, same bytes, same answer).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { detailToRefusal } from "@farwatch/protocol/convert/error";
import {
  Role,
  type Accepted,
  type Completed,
  type OpenNodeSessionResponse,
  type Refused,
  type SubscribeResponse,
  type UpdateChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, type ChannelId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { backoffDelayMs } from "../monitors/backoff.js";
import { isPassing, RemoteWatchError } from "./errors.js";
import type { Outgoing } from "./hold.js";
import { Lanes } from "./lanes.js";
import type { LinkOptions } from "./link-options.js";
import {
  ConnectionLost,
  isServiceError,
  lostBy,
  ManagerRpc,
  type UpdateStream,
} from "./manager-rpc.js";

/** Items named by one Done: far below what the manager-service takes. */
const DONE_BATCH = 1000;

export interface LinkHost {
  /** Before anything is sent or received in this session. */
  connected(session: OpenNodeSessionResponse): void;
  disconnected(why: string): void;
  received(message: SubscribeResponse): void;
  completed(completed: Completed): void;
  /** Nothing of this channel is sent any more. */
  refused(id: ChannelId, updateId: bigint, refusal: Refusal): void;
  /** No connection is tried any more. */
  fatal(refusal: Refusal): void;
}

const buffer = (id: ChannelId): Buffer => Buffer.from(fromHex(id));
const idOf = (bytes: Uint8Array): ChannelId => channelId(toHex(bytes));

export class ManagerLink {
  readonly #options: LinkOptions;
  readonly #host: LinkHost;
  readonly #lanes = new Lanes();
  readonly #dones = new Set<bigint>();
  readonly #waiting = new Set<() => void>();
  #connection: Connection | undefined;
  #running: Promise<void> | undefined;
  #stopped = new AbortController();

  constructor(options: LinkOptions, host: LinkHost) {
    this.#options = options;
    this.#host = host;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#connection?.fail(new ConnectionLost("stopped"));
    await this.#running;
    this.#wake();
  }

  /** Released messages, in order. */
  send(messages: readonly Outgoing[]): void {
    for (const message of messages) {
      if (this.#lanes.add(message)) this.#connection?.write(message);
    }
  }

  /** Messages the manager-service has not accepted. */
  get unaccepted(): number {
    return this.#lanes.size;
  }

  done(items: readonly bigint[]): void {
    for (const id of items) this.#dones.add(id);
    this.#connection?.flushDones();
  }

  /**
   * Runs calls on a connection, on the next one again if it is lost under way. Throws RemoteWatchError refused
   * or stopped, and what `run` throws itself.
   */
  async use<T>(run: (rpc: ManagerRpc) => Promise<T>): Promise<T> {
    for (;;) {
      const rpc = await this.#usable();
      try {
        return await run(rpc);
      } catch (error) {
        const lost = lostBy(error);
        const isRefused = lost.refusal !== undefined && !isPassing(lost.refusal);
        if (isRefused) throw new RemoteWatchError("refused", lost.message, lost.refusal);
        if (!(error instanceof ConnectionLost) && !isServiceError(error)) throw error;
        this.#connection?.fail(lost);
      }
    }
  }

  async #usable(): Promise<ManagerRpc> {
    while (this.#connection?.isOpen !== true) {
      if (this.#stopped.signal.aborted) {
        throw new RemoteWatchError("stopped", "the watch was stopped");
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    return this.#connection.rpc;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const rpc = new ManagerRpc(this.#options.address, this.#options.credentials);
      const connection = new Connection(
        rpc,
        this.#parts(() => (attempt = 0)),
      );
      this.#connection = connection;
      const lost = await connection.run();
      this.#connection = undefined;
      if (signal.aborted) break;
      this.#host.disconnected(lost.message);
      if (lost.refusal !== undefined && !isPassing(lost.refusal)) {
        this.#stopped.abort();
        this.#host.fatal(lost.refusal);
        break;
      }
      const delay = backoffDelayMs(attempt, this.#options.clock.jitter());
      await sleep(delay, undefined, { signal }).catch(() => undefined);
    }
    this.#wake();
  }

  #parts(opened: () => void): ConnectionParts {
    return {
      options: this.#options,
      host: this.#host,
      lanes: this.#lanes,
      dones: this.#dones,
      opened: () => {
        opened();
        this.#wake();
      },
    };
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

interface ConnectionParts {
  readonly options: LinkOptions;
  readonly host: LinkHost;
  readonly lanes: Lanes;
  readonly dones: Set<bigint>;
  /** The session is open and both streams run. */
  readonly opened: () => void;
}

class Connection {
  #lost: ConnectionLost | undefined;
  #stream: UpdateStream | undefined;
  #isFlushing = false;
  readonly #tasks = new Set<Promise<void>>();

  constructor(
    readonly rpc: ManagerRpc,
    private readonly parts: ConnectionParts,
  ) {}

  get isOpen(): boolean {
    return this.#stream !== undefined && this.#lost === undefined;
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
    this.rpc.close();
  }

  write(message: Outgoing): void {
    if (!this.isOpen) return;
    if (message.kind === "watch") this.#spawn(() => this.#watch(message));
    else this.#writeUpdate(message);
  }

  flushDones(): void {
    if (!this.isOpen || this.#isFlushing) return;
    this.#isFlushing = true;
    this.#spawn(() => this.#sendDones());
  }

  async #serve(): Promise<void> {
    const { options, host, lanes } = this.parts;
    const opened = await this.rpc.openNodeSession({
      nodeKey: Buffer.from(options.nodeKey),
      nodeEpoch: options.nodeEpoch,
      role: Role.NODE_RESOLVES,
      ldkVersion: options.ldkVersion,
      channels: [],
    });
    if (!opened.ok) throw new ConnectionLost(opened.error.message, opened.error);
    if (this.#lost !== undefined) return;
    host.connected(opened.value);
    const stream = this.rpc.updateChannel();
    this.#stream = stream;
    this.#spawn(() => this.#readAnswers(stream));
    this.#spawn(() => this.#readItems());
    for (const message of [...lanes.watches(), ...lanes.updates()]) this.write(message);
    this.flushDones();
    this.parts.opened();
  }

  async #watch(message: Outgoing): Promise<void> {
    const { host, lanes } = this.parts;
    const answer = await this.rpc.watchChannel({
      initialState: Buffer.alloc(0),
      firstUpdateId: message.updateId + 1n,
      ldkMonitor: Buffer.from(message.bytes),
    });
    if (!answer.ok) return this.#refused(message, answer.error);
    for (const update of lanes.watched(message.channelId)) this.write(update);
    if (!answer.value.completed) return;
    const { channelId: id, updateId } = message;
    const none = { eventWatermark: 0n, itemWatermark: 0n, closed: false };
    host.completed({ channelId: buffer(id), updateId, ...none });
  }

  #writeUpdate({ channelId: id, updateId, bytes }: Outgoing): void {
    const payload = { $case: "ldkBytes", value: Buffer.from(bytes) } as const;
    this.#stream?.write({ channelId: buffer(id), updateId, payload });
  }

  async #readAnswers(stream: UpdateStream): Promise<void> {
    const messages: AsyncIterable<UpdateChannelResponse> = stream;
    for await (const { item } of messages) {
      if (this.#lost !== undefined) return;
      if (item?.$case === "accepted") this.#accepted(item.value);
      else if (item?.$case === "completed") this.parts.host.completed(item.value);
      else if (item?.$case === "refused") this.#refusedUpdate(item.value);
    }
    throw new ConnectionLost("the manager-service ended the update stream");
  }

  async #readItems(): Promise<void> {
    const messages: AsyncIterable<SubscribeResponse> = this.rpc.subscribe();
    for await (const message of messages) {
      if (this.#lost !== undefined) return;
      this.parts.host.received(message);
    }
    throw new ConnectionLost("the manager-service ended the subscription");
  }

  #accepted({ channelId: id, updateId }: Accepted): void {
    this.parts.lanes.accepted(idOf(id), updateId);
  }

  #refusedUpdate({ channelId: id, updateId, error }: Refused): void {
    const unnamed = refuse("malformed", "the manager-service refused without a reason");
    const refusal = error === undefined ? unnamed : detailToRefusal(error);
    this.#refused({ channelId: idOf(id), updateId }, refusal);
  }

  #refused(message: Pick<Outgoing, "channelId" | "updateId">, refusal: Refusal): void {
    if (isPassing(refusal)) throw new ConnectionLost(refusal.message, refusal);
    const { lanes, host } = this.parts;
    if (lanes.stop(message.channelId)) host.refused(message.channelId, message.updateId, refusal);
  }

  /** What is not answered stays for the next connection. */
  async #sendDones(): Promise<void> {
    const { dones } = this.parts;
    while (dones.size > 0 && this.#lost === undefined) {
      const batch = [...dones].slice(0, DONE_BATCH);
      const items = batch.map((itemId) => ({
        itemId,
        answer: { $case: "handled", value: {} } as const,
      }));
      const answer = await this.rpc.done({ items });
      if (!answer.ok) throw new ConnectionLost(answer.error.message, answer.error);
      for (const id of batch) dones.delete(id);
    }
    this.#isFlushing = false;
  }

  #spawn(task: () => Promise<void>): void {
    if (this.#lost !== undefined) return;
    const running = task()
      .catch((error: unknown) => this.fail(error))
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }
}
