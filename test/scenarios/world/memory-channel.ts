/**
 * What a generated gRPC client needs of a connection, between two processes of the world: the client's
 * calls, serialized by the real codecs, travel one message a turn and in order, each way apart. Before
 * and after each delivery either side may be crashed; then everything under way is lost.
 */
import {
  connectivityState,
  Metadata,
  status,
  type ChannelInterface,
  type ServerErrorResponse,
} from "@grpc/grpc-js";
import type { Holds } from "./holds.js";
import type { CrashPoints, Life } from "./life.js";
import type { IncomingCall, MemoryServer } from "./memory-server.js";
import { turn, type Pump } from "./pump.js";

type Call = ReturnType<ChannelInterface["createCall"]>;
type Listener = Parameters<Call["start"]>[1];
type Context = Parameters<Call["sendMessageWithContext"]>[0];

export interface ChannelParts {
  readonly client: Life;
  /** undefined: nobody listens, or there is no way to them. */
  readonly server: () => MemoryServer | undefined;
  readonly certificate: Buffer;
  readonly pump: Pump;
  readonly points: CrashPoints;
  readonly holds: Holds;
  /** Sees what reaches the server. */
  readonly tap?: (path: string, bytes: Uint8Array) => void;
  /** Sees what reaches the client. */
  readonly tapAnswer?: (path: string, bytes: Uint8Array) => void;
}

export class MemoryChannel implements ChannelInterface {
  readonly #parts: ChannelParts;
  readonly #server: MemoryServer | undefined;
  readonly #calls = new Set<ClientCall>();
  readonly there: Direction;
  readonly back: Direction;
  #open = true;

  constructor(parts: ChannelParts) {
    this.#parts = parts;
    const server = parts.server();
    this.#server = server?.life.alive === true ? server : undefined;
    const lives = this.#server === undefined ? [] : [parts.client, this.#server.life];
    this.there = new Direction(parts, lives);
    this.back = new Direction(parts, lives);
    parts.client.atEnd(() => this.close());
    this.#server?.life.atEnd(() => this.cut());
  }

  /** Every call fails as when a cable is pulled; the server sees its callers leave. */
  cut(): void {
    if (!this.#open) return;
    this.#shut();
    for (const call of [...this.#calls]) call.lost();
  }

  /** The client is done, or gone. */
  close(): void {
    if (!this.#open) return;
    this.#shut();
  }

  #shut(): void {
    this.#open = false;
    this.there.drop();
    this.back.drop();
    const { life } = this.#server ?? {};
    for (const call of this.#calls) void turn().then(() => life?.alive === true && call.leave());
  }

  createCall(path: string): Call {
    const server = this.#open ? this.#server : undefined;
    const call = new ClientCall(this, path, server, this.#parts);
    this.#calls.add(call);
    return call;
  }
  /** The server has ended it. */
  forget(call: ClientCall): void {
    this.#calls.delete(call);
  }

  getTarget(): string {
    return "memory";
  }
  getConnectivityState(): connectivityState {
    return this.#open ? connectivityState.READY : connectivityState.SHUTDOWN;
  }
  watchConnectivityState(): never {
    throw new Error("nobody watches");
  }
  getChannelzRef(): never {
    throw new Error("no channelz");
  }
}

/** Messages of one way, in order. */
class Direction {
  readonly #queue: (() => void)[] = [];
  #busy = false;
  #open = true;

  constructor(
    private readonly parts: Pick<ChannelParts, "pump" | "points" | "holds">,
    private readonly lives: readonly Life[],
  ) {}

  /** `name` undefined: no message of its own (the start or the end of a call). */
  send(call: ClientCall, name: string | undefined, deliver: () => void): void {
    const { points, pump, holds } = this.parts;
    pump.moved();
    holds.pass(call, name, () => {
      if (!this.#open) return;
      this.#queue.push(() => {
        pump.moved();
        if (name !== undefined) points.pass(`before ${name}`, ...this.lives);
        if (this.lives.some(({ alive }) => !alive)) return;
        deliver();
        if (name !== undefined) points.pass(`after ${name}`, ...this.lives);
      });
      void this.#work();
    });
  }

  drop(): void {
    this.#open = false;
    this.#queue.length = 0;
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#queue.length > 0) {
      await turn();
      this.#queue.shift()?.();
    }
    this.#busy = false;
  }
}

class ClientCall implements Call {
  readonly #name: string;
  #listener: Listener | undefined;
  #incoming: IncomingCall | undefined;
  readonly #received: Buffer[] = [];
  #wanted = 0;
  #status: Partial<ServerErrorResponse> | "ok" | undefined;
  #over = false;

  constructor(
    private readonly channel: MemoryChannel,
    private readonly path: string,
    private readonly server: MemoryServer | undefined,
    private readonly parts: ChannelParts,
  ) {
    this.#name = `${parts.client.owner} ${path.slice(path.lastIndexOf("/") + 1)}`;
  }

  start(metadata: Metadata, listener: Listener): void {
    this.#listener = listener;
    const { server, parts, channel, path } = this;
    if (server === undefined) {
      void turn().then(() => this.lost());
      return;
    }
    const name = `${server.life.owner} to ${this.#name} answer`;
    const answers = {
      message: (bytes: Buffer): void =>
        channel.back.send(this, name, () => {
          parts.tapAnswer?.(path, bytes);
          this.#received.push(bytes);
          this.#flush();
        }),
      end: (error: Partial<ServerErrorResponse> | undefined): void =>
        channel.back.send(this, undefined, () => {
          this.#status = error ?? "ok";
          channel.forget(this);
          this.#flush();
        }),
    };
    channel.there.send(this, undefined, () => {
      listener.onReceiveMetadata(new Metadata());
      this.#incoming = server.open(path, { metadata, certificate: parts.certificate }, answers);
    });
  }

  sendMessageWithContext({ callback }: Context, message: Buffer): void {
    this.#send(this.#name, () => {
      this.parts.tap?.(this.path, message);
      this.#incoming?.message(message);
    });
    process.nextTick(() => callback?.());
  }

  startRead(): void {
    this.#wanted += 1;
    this.#flush();
  }

  halfClose(): void {
    this.#send(undefined, () => this.#incoming?.halfClose());
  }

  cancelWithStatus(code: number, details: string): void {
    this.#finish({ code, details });
    this.#send(undefined, () => this.leave());
  }

  /** The connection is gone. */
  lost(): void {
    this.#finish({ code: status.UNAVAILABLE, details: "the connection was lost" });
  }

  /** The server sees its caller leave. */
  leave(): void {
    this.#incoming?.cancel();
  }

  getPeer(): string {
    return "memory";
  }
  getCallNumber(): number {
    return 0;
  }
  setCredentials(): void {
    // the world knows its processes
  }
  getAuthContext(): null {
    return null;
  }

  /** To nobody: an attempt that fails is no progress. */
  #send(name: string | undefined, deliver: () => void): void {
    if (this.server !== undefined) this.channel.there.send(this, name, deliver);
  }

  #flush(): void {
    while (this.#wanted > 0 && this.#received.length > 0 && !this.#over) {
      this.#wanted -= 1;
      const bytes = this.#received.shift();
      if (bytes !== undefined) this.#listener?.onReceiveMessage(bytes);
    }
    if (this.#received.length > 0 || this.#status === undefined) return;
    this.#finish(this.#status === "ok" ? { code: status.OK } : this.#status);
  }

  #finish({ code, details, metadata }: Partial<ServerErrorResponse>): void {
    if (this.#over || !this.parts.client.alive) return;
    this.#over = true;
    if (this.server !== undefined) this.parts.pump.moved();
    this.#listener?.onReceiveStatus({
      code: code ?? status.UNKNOWN,
      details: details ?? "",
      metadata: metadata ?? new Metadata(),
    });
  }
}
