/** A node that only sends: recorded updates into a manager-service, so many under way at once. */
import fs from "node:fs";
import { credentials, Metadata } from "@grpc/grpc-js";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import {
  ManagerServiceClient,
  Role,
  type Completed,
  type DoneResponse,
  type OpenNodeSessionResponse,
  type SubscribeResponse,
  type UpdateChannelRequest,
  type UpdateChannelResponse,
  type WatchChannelRequest,
  type WatchChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { NodeAccess } from "../../harness/cluster/cluster.js";

const DONE_BATCH = 1_000;

type Done<T> = (error: Error | null, value: T) => void;

export class IngestNode {
  readonly #client: ManagerServiceClient;
  readonly #metadata = new Metadata();
  readonly #stream;
  readonly #items;
  #dones: bigint[] = [];
  #isFlushing = false;
  readonly #completed = new Map<string, bigint>();
  #failure: Error | undefined;
  #news: () => void = () => undefined;

  private constructor(client: ManagerServiceClient, { sessionId }: OpenNodeSessionResponse) {
    this.#client = client;
    this.#metadata.set("farwatch-session", toHex(sessionId));
    this.#stream = client.updateChannel(this.#metadata);
    this.#stream.on("data", (response: UpdateChannelResponse) => this.#take(response));
    this.#stream.on("error", (error: Error) => this.#fail(error));
    this.#items = client.subscribe({}, this.#metadata);
    this.#items.on("data", ({ item }: SubscribeResponse) => {
      if (item?.$case === "event") this.#done(item.value.itemId);
    });
    this.#items.on("error", (error: Error) => this.#fail(error));
  }

  static async open({ address, nodeKey, ...files }: NodeAccess): Promise<IngestNode> {
    const [ca, key, cert] = [files.caFile, files.keyFile, files.certFile].map((file) =>
      fs.readFileSync(file),
    );
    const secure = credentials.createSsl(ca, key, cert);
    const client = new ManagerServiceClient(address, secure);
    const request = {
      nodeKey: Buffer.from(fromHex(nodeKey)),
      nodeEpoch: 1n,
      role: Role.NODE_RESOLVES,
      ldkVersion: "0.1.0",
      channels: [],
    };
    const opened = await call<OpenNodeSessionResponse>((done) =>
      client.openNodeSession(request, done),
    );
    return new IngestNode(client, opened);
  }

  async watch(id: ChannelId, request: WatchChannelRequest, updateId: bigint): Promise<void> {
    const { completed } = await call<WatchChannelResponse>((done) =>
      this.#client.watchChannel(request, this.#metadata, done),
    );
    if (!completed) await this.#until(() => this.#newest(id) >= updateId);
  }

  /** Resolves when all are Completed; in order for each channel. */
  async send(updates: readonly UpdateChannelRequest[], inFlight: number): Promise<void> {
    const ids = updates.map(({ channelId }) => toHex(channelId));
    let oldest = 0;
    const isCompleted = (at: number): boolean =>
      this.#newest(ids[at] ?? "") >= (updates[at]?.updateId ?? 0n);
    const hasRoom = (sent: number): boolean => {
      while (oldest < sent && isCompleted(oldest)) oldest++;
      return sent - oldest < inFlight;
    };
    for (const [sent, update] of updates.entries()) {
      if (!hasRoom(sent)) await this.#until(() => hasRoom(sent));
      this.#stream.write(update);
    }
    await this.#until(() => hasRoom(updates.length) && oldest === updates.length);
  }

  close(): void {
    this.#failure = new Error("closed");
    this.#stream.cancel();
    this.#items.cancel();
    this.#client.close();
  }

  #newest(id: string): bigint {
    return this.#completed.get(id) ?? -1n;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#news = resolve));
    }
  }

  #take({ item }: UpdateChannelResponse): void {
    if (item?.$case === "completed") this.#complete(item.value);
    if (item?.$case === "refused") {
      const { updateId, error } = item.value;
      this.#fail(new Error(`update ${updateId} was refused: ${error?.message}`));
    }
  }

  /** As RemoteWatch does with HTLC events of updates: nothing to hand to LDK. */
  #done(itemId: bigint): void {
    this.#dones.push(itemId);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#sendDones().catch((error: unknown) => this.#fail(new Error("Done", { cause: error })));
  }

  async #sendDones(): Promise<void> {
    while (this.#dones.length > 0) {
      const items = this.#dones.splice(0, DONE_BATCH).map((itemId) => ({
        itemId,
        answer: { $case: "handled", value: {} } as const,
      }));
      await call<DoneResponse>((done) => this.#client.done({ items }, this.#metadata, done));
    }
    this.#isFlushing = false;
  }

  #complete({ channelId, updateId }: Completed): void {
    this.#completed.set(toHex(channelId), updateId);
    this.#news();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#news();
  }
}

const call = <T>(start: (done: Done<T>) => unknown): Promise<T> =>
  new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)));
  });
