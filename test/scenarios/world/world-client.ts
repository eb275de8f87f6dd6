/**
 * The Lightning node's side of ManagerService in the world, for as long as the node's process lives. When
 * the manager goes away it opens the session again, sends again what is not completed, and repeats calls
 * that got no answer, as an integrator's client must. Redelivered items are appended to `items`.
 */
import { Metadata, type ClientDuplexStream, type ServiceError } from "@grpc/grpc-js";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { must } from "@farwatch/protocol/assert";
import { ERROR_TRAILER } from "@farwatch/protocol/convert/error";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import type { Role } from "@farwatch/protocol/gen/manager/v1/manager_service";
import {
  type ClaimPaymentRequest,
  type ClosePaymentRequest,
  type Completed,
  type DoneItem,
  type ForceCloseRequest,
  type HtlcFulfilledRequest,
  type HtlcNotSentRequest,
  type ManagerServiceClient,
  type NodeChannel,
  type OpenNodeSessionRequest,
  type OpenNodeSessionResponse,
  type RegisterPaymentRequest,
  type SubscribeResponse,
  type UpdateChannelRequest,
  type UpdateChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { ManagerConnection } from "../../harness/routing/manager-connection.js";
import { OpenUpdates } from "./open-updates.js";
import type { Pump } from "./pump.js";
import type { Recorder } from "./recorder.js";

const SESSION_METADATA = "farwatch-session";
/** Ms between attempts to reach the manager. */
const RETRY_MS = 500;

export interface ClientParts {
  readonly open: () => ManagerServiceClient;
  readonly nodeKey: string;
  readonly pump: Pump;
  readonly record: Recorder;
  readonly nodeEpoch: bigint;
  readonly role: Role;
  /** What OpenNodeSession names; channels that are being opened are added. */
  readonly cursors: () => readonly NodeChannel[];
}

type Updates = ClientDuplexStream<UpdateChannelRequest, UpdateChannelResponse>;

/** One session from its opening until the connection is lost. */
interface Session {
  readonly client: ManagerServiceClient;
  readonly metadata: Metadata;
  readonly updates: Updates;
}

export class WorldClient implements ManagerConnection {
  /** Every delivery, redelivered ones again. */
  readonly items: Item[] = [];
  /** Every `completed`, with how much had been recorded when it came. */
  readonly completions: { readonly completed: Completed; readonly after: number }[] = [];
  session: OpenNodeSessionResponse | undefined;
  replayDone = false;
  readonly #parts: ClientParts;
  readonly #open = new OpenUpdates();
  #session: Session | undefined;
  #ready: (() => void)[] = [];
  #closed = false;
  readonly #opening = new Map<ChannelId, NodeChannel>();

  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  /** Goes on until it succeeds. */
  connect(): void {
    this.#closed = false;
    void this.#connect();
  }

  /** The node's process is gone. */
  close(): void {
    this.#closed = true;
    const session = this.#session;
    this.#session = undefined;
    session?.client.close();
    this.#open.lose();
  }

  get rpc(): ManagerServiceClient {
    return must(this.#session, "a session").client;
  }
  get metadata(): Metadata {
    return must(this.#session, "a session").metadata;
  }
  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  /** `client.call((done) => client.rpc.x(request, client.metadata, done))`; again when it got no answer. */
  async call<T>(start: (done: (error: Error | null, value: T) => void) => unknown): Promise<T> {
    this.#parts.pump.asked();
    for (;;) {
      const session = await this.#untilReady();
      try {
        return await once(start);
      } catch (error) {
        if (!isLost(error)) throw error;
        this.#lost(session);
      }
    }
  }

  async watchChannel(
    id: ChannelId,
    initialState: Uint8Array,
    firstUpdateId: bigint,
  ): Promise<void> {
    this.#opening.set(id, newChannel(id, firstUpdateId - 1n));
    const request = { initialState: Buffer.from(initialState), firstUpdateId };
    const answer = await this.call<{ readonly completed: boolean }>((done) =>
      this.rpc.watchChannel(request, this.metadata, done),
    );
    // What is completed is the first state: the id before the first update.
    if (!answer.completed) await this.#open.untilCompleted(id, firstUpdateId - 1n);
    this.#opening.delete(id);
  }

  /** Sends one update and waits until it is durable on every required monitor. */
  update(id: ChannelId, updateId: bigint, payload: Uint8Array): Promise<Completed> {
    const { pump, record } = this.#parts;
    pump.asked();
    record.add({ kind: "update", channelId: id, updateId });
    const request: UpdateChannelRequest = {
      channelId: Buffer.from(fromHex(id)),
      updateId,
      payload: { $case: "typed", value: Buffer.from(payload) },
    };
    const completed = this.#open.add(id, updateId, request);
    this.#session?.updates.write(request);
    return completed;
  }

  async registerPayment(request: RegisterPaymentRequest): Promise<void> {
    await this.call((done) => this.rpc.registerPayment(request, this.metadata, done));
  }
  async closePayment(request: ClosePaymentRequest): Promise<void> {
    await this.call((done) => this.rpc.closePayment(request, this.metadata, done));
  }
  async claimPayment(request: ClaimPaymentRequest): Promise<void> {
    await this.call((done) => this.rpc.claimPayment(request, this.metadata, done));
  }
  async htlcFulfilled(request: HtlcFulfilledRequest): Promise<void> {
    await this.call((done) => this.rpc.htlcFulfilled(request, this.metadata, done));
  }
  async htlcNotSent(request: HtlcNotSentRequest): Promise<void> {
    await this.call((done) => this.rpc.htlcNotSent(request, this.metadata, done));
  }
  async forceClose(request: ForceCloseRequest): Promise<void> {
    await this.call((done) => this.rpc.forceClose(request, this.metadata, done));
  }

  async answer(items: readonly DoneItem[]): Promise<void> {
    await this.call((finish) => this.rpc.done({ items: [...items] }, this.metadata, finish));
    for (const { itemId } of items) {
      const key = this.items.find((item) => item.itemId === itemId)?.semanticKey ?? "";
      this.#parts.record.add({ kind: "handled", itemId, key });
    }
  }

  async #untilReady(): Promise<Session> {
    while (this.#session === undefined) {
      await new Promise<void>((resolve) => this.#ready.push(resolve));
    }
    return this.#session;
  }

  async #connect(): Promise<void> {
    const client = this.#parts.open();
    const request: OpenNodeSessionRequest = {
      nodeKey: Buffer.from(fromHex(this.#parts.nodeKey)),
      nodeEpoch: this.#parts.nodeEpoch,
      role: this.#parts.role,
      ldkVersion: undefined,
      channels: this.#named(),
    };
    try {
      const opened = await once<OpenNodeSessionResponse>((done) =>
        client.openNodeSession(request, done),
      );
      this.#opened(client, opened);
    } catch {
      client.close(); // nobody there yet: the next attempt finds out
      this.#later();
    }
  }

  #later(): void {
    this.#parts.pump.after(RETRY_MS, () => {
      if (!this.#closed && this.#session === undefined) void this.#connect();
    });
  }

  #opened(client: ManagerServiceClient, opened: OpenNodeSessionResponse): void {
    const metadata = new Metadata();
    metadata.set(SESSION_METADATA, toHex(opened.sessionId));
    const updates = client.updateChannel(metadata);
    const session = { client, metadata, updates };
    this.session = opened;
    this.#session = session;
    updates.on("data", (response: UpdateChannelResponse) => this.#answered(response));
    updates.on("error", () => this.#lost(session));
    const items = client.subscribe({}, metadata);
    items.on("data", (response: SubscribeResponse) => this.#told(response));
    items.on("error", () => this.#lost(session));
    for (const request of this.#open.requests()) updates.write(request);
    for (const resolve of this.#ready.splice(0)) resolve();
  }

  #lost(session: Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    session.client.close();
    if (!this.#closed) this.#later();
  }

  #answered(response: UpdateChannelResponse): void {
    if (response.item?.$case === "completed") {
      const after = this.#parts.record.entries.length;
      this.completions.push({ completed: response.item.value, after });
    }
    this.#open.answered(response);
  }

  #told({ item: told }: SubscribeResponse): void {
    if (told?.$case === "replayDone") this.replayDone = true;
    if (told?.$case !== "event") return;
    const item = told.value;
    const { itemId, semanticKey: key } = item;
    this.items.push(item);
    this.#parts.record.add({ kind: "told", itemId, key, item });
  }

  #named(): NodeChannel[] {
    const cursors = this.#parts.cursors();
    const ids = new Set(cursors.map(({ channelId }) => toHex(channelId)));
    const opening = [...this.#opening].filter(([id]) => !ids.has(id));
    return [...cursors, ...opening.map(([, cursor]) => cursor)];
  }
}

const newChannel = (id: ChannelId, lastUpdateId: bigint): NodeChannel => ({
  channelId: Buffer.from(fromHex(id)),
  lastUpdateId,
  holderCommitmentNumber: 0n,
  counterpartyCommitmentNumber: 0n,
  revokedCommitments: 0n,
});

const once = <T>(start: (done: (error: Error | null, value: T) => void) => unknown): Promise<T> =>
  new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)));
  });

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && "code" in error && "metadata" in error;

/** The manager said nothing: a refusal carries its trailer. */
const isLost = (error: unknown): boolean =>
  isServiceError(error) && error.metadata.get(ERROR_TRAILER).length === 0;
