/**
 * The Lightning node's side of ManagerService, as an integrator would write it: one session, one
 * UpdateChannel stream, one subscription, all over the generated client.
 */
import { Metadata, credentials, type ClientDuplexStream } from "@grpc/grpc-js";
import fs from "node:fs";
import { assert, must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import {
  CommandResult,
  ManagerServiceClient,
  Role,
  type ClaimPaymentRequest,
  type ClosePaymentRequest,
  type Completed,
  type DoneItem,
  type ForceCloseRequest,
  type HtlcFulfilledRequest,
  type HtlcNotSentRequest,
  type OpenNodeSessionRequest,
  type OpenNodeSessionResponse,
  type RegisterPaymentRequest,
  type SubscribeResponse,
  type UpdateChannelRequest,
  type UpdateChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { UpdateRefused, type ManagerConnection } from "../routing/manager-connection.js";
import type { Leaf } from "./tls.js";

const SESSION_METADATA = "farwatch-session";

export interface NodeClientOptions {
  /** "localhost:port". */
  readonly address: string;
  readonly caFile: string;
  readonly leaf: Leaf;
  readonly nodeKey: Uint8Array;
  readonly nodeEpoch: bigint;
  readonly channels?: OpenNodeSessionRequest["channels"];
}

interface Waiter {
  readonly updateId: bigint;
  readonly resolve: (completed: Completed) => void;
  readonly reject: (error: Error) => void;
}

export class NodeClient implements ManagerConnection {
  readonly items: Item[] = [];
  session: OpenNodeSessionResponse | undefined;
  replayDone = false;
  readonly #client: ManagerServiceClient;
  readonly #options: NodeClientOptions;
  #metadata = new Metadata();
  #updates: ClientDuplexStream<UpdateChannelRequest, UpdateChannelResponse> | undefined;
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #completed = new Map<string, Completed>();
  #closed = false;

  constructor(options: NodeClientOptions) {
    this.#options = options;
    const read = (file: string): Buffer => fs.readFileSync(file);
    this.#client = new ManagerServiceClient(
      options.address,
      credentials.createSsl(
        read(options.caFile),
        read(options.leaf.keyFile),
        read(options.leaf.certFile),
      ),
    );
  }

  /** Opens the session and both streams. */
  async connect(): Promise<OpenNodeSessionResponse> {
    const request: OpenNodeSessionRequest = {
      nodeKey: Buffer.from(this.#options.nodeKey),
      nodeEpoch: this.#options.nodeEpoch,
      role: Role.MANAGER_RESOLVES,
      ldkVersion: undefined,
      channels: this.#options.channels ?? [],
    };
    const session = await this.call<OpenNodeSessionResponse>((done) =>
      this.#client.openNodeSession(request, done),
    );
    this.session = session;
    this.#metadata = new Metadata();
    this.#metadata.set(SESSION_METADATA, toHex(session.sessionId));
    this.#openUpdates();
    this.#subscribe();
    return session;
  }

  /** One unary call of the generated client: `client.call((done) => client.rpc.x(request, meta, done))`. */
  call<T>(start: (done: (error: Error | null, value: T) => void) => unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      start((error, value) => (error === null ? resolve(value) : reject(error)));
    });
  }

  get rpc(): ManagerServiceClient {
    return this.#client;
  }
  get metadata(): Metadata {
    return this.#metadata;
  }

  async watchChannel(
    id: ChannelId,
    initialState: Uint8Array,
    firstUpdateId: bigint,
  ): Promise<void> {
    const request = { initialState: Buffer.from(initialState), firstUpdateId };
    const answer = await this.call<{ readonly completed: boolean }>((done) =>
      this.#client.watchChannel(request, this.#metadata, done),
    );
    // What is completed is the first state: the id before the first update.
    if (!answer.completed) await this.#untilCompleted(id, firstUpdateId - 1n);
  }

  /** Sends one update and waits until it is durable on every required monitor. */
  async update(id: ChannelId, updateId: bigint, payload: Uint8Array): Promise<Completed> {
    const completed = this.#untilCompleted(id, updateId);
    this.#stream().write({
      channelId: Buffer.from(fromHex(id)),
      updateId,
      payload: { $case: "typed", value: Buffer.from(payload) },
    });
    return completed;
  }

  async registerPayment(request: RegisterPaymentRequest): Promise<void> {
    await this.call((done) => this.#client.registerPayment(request, this.#metadata, done));
  }
  async closePayment(request: ClosePaymentRequest): Promise<void> {
    await this.call((done) => this.#client.closePayment(request, this.#metadata, done));
  }
  async claimPayment(request: ClaimPaymentRequest): Promise<void> {
    await this.call((done) => this.#client.claimPayment(request, this.#metadata, done));
  }
  async htlcFulfilled(request: HtlcFulfilledRequest): Promise<void> {
    await this.call((done) => this.#client.htlcFulfilled(request, this.#metadata, done));
  }
  async htlcNotSent(request: HtlcNotSentRequest): Promise<void> {
    await this.call((done) => this.#client.htlcNotSent(request, this.#metadata, done));
  }
  async forceClose(request: ForceCloseRequest): Promise<void> {
    await this.call((done) => this.#client.forceClose(request, this.#metadata, done));
  }
  async answer(items: readonly DoneItem[]): Promise<void> {
    await this.call((done) => this.#client.done({ items: [...items] }, this.#metadata, done));
  }

  /** Events are handled. The commands of this client's one channel come when it is closed: it says so. */
  async done(itemIds: readonly bigint[]): Promise<void> {
    const isCommand = (id: bigint): boolean =>
      this.items.some(({ itemId, item }) => itemId === id && item?.$case === "command");
    await this.answer(
      itemIds.map((itemId): DoneItem => {
        const value = CommandResult.CHANNEL_CLOSED;
        return isCommand(itemId)
          ? { itemId, answer: { $case: "commandResult", value } }
          : { itemId, answer: { $case: "handled", value: {} } };
      }),
    );
  }

  /** Waits for an item that `match` accepts; replayed ones count. */
  async untilItem(match: (item: Item) => boolean, timeoutMs = 30_000): Promise<Item> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.items.find(match);
      if (found !== undefined) return found;
      assert(Date.now() < deadline, "no such item within the time given");
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  close(): void {
    this.#closed = true;
    this.#updates?.cancel();
    this.#client.close();
  }

  #stream(): ClientDuplexStream<UpdateChannelRequest, UpdateChannelResponse> {
    return must(this.#updates, "connected");
  }

  #openUpdates(): void {
    const stream = this.#client.updateChannel(this.#metadata);
    this.#updates = stream;
    stream.on("data", (response: UpdateChannelResponse) => this.#answer(response));
    stream.on("error", (error: Error) => {
      if (!this.#closed) this.#rejectAll(error);
    });
  }

  #answer({ item }: UpdateChannelResponse): void {
    if (item?.$case === "completed") this.#complete(item.value);
    if (item?.$case === "refused") {
      const { channelId, updateId, error } = item.value;
      const refusal = new UpdateRefused(error?.reason ?? "unknown", error?.message ?? "");
      for (const waiter of this.#take(toHex(channelId), (id) => id === updateId)) {
        waiter.reject(refusal);
      }
    }
  }

  #complete(completed: Completed): void {
    const id = toHex(completed.channelId);
    this.#completed.set(id, completed);
    for (const waiter of this.#take(id, (wanted) => wanted <= completed.updateId)) {
      waiter.resolve(completed);
    }
  }

  #untilCompleted(id: ChannelId, updateId: bigint): Promise<Completed> {
    const known = this.#completed.get(id);
    if (known !== undefined && known.updateId >= updateId) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), { updateId, resolve, reject }]);
    });
  }

  #take(id: string, match: (updateId: bigint) => boolean): readonly Waiter[] {
    const all = this.#waiting.get(id) ?? [];
    this.#waiting.set(
      id,
      all.filter(({ updateId }) => !match(updateId)),
    );
    return all.filter(({ updateId }) => match(updateId));
  }

  #rejectAll(error: Error): void {
    const waiters = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const waiter of waiters) waiter.reject(error);
  }

  #subscribe(): void {
    const stream = this.#client.subscribe({}, this.#metadata);
    stream.on("data", ({ item }: SubscribeResponse) => {
      if (item?.$case === "event") this.items.push(item.value);
      if (item?.$case === "replayDone") this.replayDone = true;
    });
    stream.on("error", (error: Error) => {
      if (!this.#closed) this.#rejectAll(error);
    });
  }
}
