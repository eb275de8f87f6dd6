/**
 * Writing to a caller who may read slowly. `write` resolves when the transport wants more, so a feed
 * that awaits it holds at most one message; `push` queues for a producer that cannot wait. Whatever was
 * not sent when the stream ends is told again after a reconnect, so it may be let go.
 */
import type { EventEmitter } from "node:events";
import type { ServerErrorResponse } from "@grpc/grpc-js";
import type { Refusal } from "@farwatch/protocol/reasons";
import { toStatus } from "./to-status.js";

/** The part of a grpc-js server stream that writes. */
export interface OutgoingCall<A> extends EventEmitter {
  write(message: A): boolean;
  end(): void;
  emit(event: "error", error: ServerErrorResponse): boolean;
}

export class StreamWriter<A> {
  readonly #call: OutgoingCall<A>;
  readonly #onDrained: () => void;
  readonly #queue: A[] = [];
  readonly #waiting: (() => void)[] = [];
  #full = false;
  #ended = false;

  constructor(call: OutgoingCall<A>, onDrained: () => void = () => undefined) {
    this.#call = call;
    this.#onDrained = onDrained;
    call.on("drain", () => this.#drain());
  }

  get ended(): boolean {
    return this.#ended;
  }
  /** Messages accepted by `push` that the transport has not taken. */
  get queued(): number {
    return this.#queue.length;
  }

  push(message: A): void {
    if (this.#ended) return;
    if (this.#full) this.#queue.push(message);
    else this.#full = !this.#call.write(message);
  }

  /** Resolves at once after the end. One writer at a time: order is the order of calls. */
  async write(message: A): Promise<void> {
    this.push(message);
    if (!this.#full || this.#ended) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Ends the stream once; queued messages are sent first when it ends without a refusal. */
  end(refusal: Refusal | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    if (refusal === undefined) {
      for (const message of this.#queue) this.#call.write(message);
      this.#call.end();
    } else {
      this.#call.emit("error", toStatus(refusal));
    }
    this.#release();
  }

  /** The caller is gone: nothing more is written. */
  abandon(): void {
    this.#ended = true;
    this.#release();
  }

  #release(): void {
    this.#queue.length = 0;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #drain(): void {
    if (this.#ended) return;
    this.#full = false;
    let taken = 0;
    for (const message of this.#queue) {
      taken += 1;
      this.#full = !this.#call.write(message);
      if (this.#full) break;
    }
    this.#queue.splice(0, taken);
    if (this.#full) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.#onDrained();
  }
}
