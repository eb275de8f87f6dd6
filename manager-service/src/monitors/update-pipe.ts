/**
 * Updates on their way to one monitor: whatever waits leaves as one batch under one signature, a
 * bounded number of batches and updates is under way, and the stream's back-pressure is obeyed. The
 * pipe holds no promise: what it loses with a connection is read again from the manager's store.
 */
import { must } from "@farwatch/protocol/assert";
import type { ChannelId, UpdateId } from "@farwatch/protocol/ids";
import type { SessionLimits } from "./handshake.js";
import type { LinkClock, LinkTimer } from "./link-options.js";
import type { StoredUpdate } from "./monitor-link.js";

/** Batches without their receipts: enough to hide a round trip and a commit, few enough that waiting
 * updates gather under one signature when the monitor is busy. */
export const MAX_BATCHES_IN_FLIGHT = 4;
/** Bytes of headers and payloads in a batch; one largest payload (3 MiB) fits, and it stays in 4 MiB. */
export const MAX_BATCH_BYTES = 3.5 * 1024 * 1024;
/** Updates kept in memory before they are sent; above it they are read from the store later. */
export const MAX_WAITING = 2048;
/** Ms without any receipt while updates are under way: the connection is useless and made anew. */
export const RECEIPT_TIMEOUT_MS = 30_000;
/** Bytes on the wire per update beside header and payload: its hash and protobuf framing. */
const FRAMING_BYTES = 64;

interface Batch {
  open: number;
}
interface Sent {
  readonly updateId: UpdateId;
  readonly batch: Batch;
}

export interface PipeOptions {
  readonly limits: SessionLimits;
  readonly clock: LinkClock;
  /** Signs and writes a batch; false: wait until `drained` is called. */
  readonly write: (updates: readonly StoredUpdate[]) => boolean;
  readonly stuck: () => void;
}

export class UpdatePipe {
  readonly #options: PipeOptions;
  #waiting: StoredUpdate[] = [];
  readonly #sent = new Map<ChannelId, Sent[]>();
  #inFlight = 0;
  #batches = 0;
  #writable = true;
  #stopped = false;
  #scheduled: NodeJS.Immediate | undefined;
  #watchdog: LinkTimer | undefined;
  #wantRoom: (() => void)[] = [];

  constructor(options: PipeOptions) {
    this.#options = options;
  }

  get full(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  push(update: StoredUpdate): void {
    if (this.#stopped) return;
    this.#waiting.push(update);
    this.#schedule();
  }

  /** Resolves when there is room for more, or the pipe has stopped. */
  async room(): Promise<void> {
    while (this.full && !this.#stopped) {
      await new Promise<void>((resolve) => this.#wantRoom.push(resolve));
    }
  }

  drained(): void {
    this.#writable = true;
    this.#schedule();
  }

  /** A receipt: every update of the channel up to `upTo` is off our hands. */
  settle(channelId: ChannelId, upTo: UpdateId): void {
    this.#release(channelId, ({ updateId }) => updateId <= upTo);
  }

  /** Forgets a channel's updates, sent or waiting: they will be read from the store again. */
  drop(channelId: ChannelId): void {
    this.#waiting = this.#waiting.filter((update) => update.channelId !== channelId);
    this.#release(channelId, () => true);
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.#watchdog?.cancel();
    clearImmediate(this.#scheduled);
    this.#tellRoom();
  }

  #release(channelId: ChannelId, isDone: (sent: Sent) => boolean): void {
    const sent = this.#sent.get(channelId) ?? [];
    const left = sent.filter((one) => !isDone(one));
    for (const { batch } of sent.filter(isDone)) {
      this.#inFlight--;
      batch.open--;
      if (batch.open === 0) this.#batches--;
    }
    if (left.length === 0) this.#sent.delete(channelId);
    else this.#sent.set(channelId, left);
    this.#watch();
    this.#schedule();
  }

  /** Deferred to the end of the turn, so that what is pushed together leaves together. */
  #schedule(): void {
    if (this.#scheduled !== undefined || this.#stopped) return;
    this.#scheduled = setImmediate(() => {
      this.#scheduled = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    const free = (): number => this.#options.limits.maxUpdatesInFlight - this.#inFlight;
    while (
      this.#writable &&
      !this.#stopped &&
      this.#waiting.length > 0 &&
      this.#batches < MAX_BATCHES_IN_FLIGHT &&
      free() > 0
    ) {
      const count = batchLength(
        this.#waiting,
        Math.min(free(), this.#options.limits.maxBatchUpdates),
      );
      const updates = this.#waiting.splice(0, count);
      this.#note(updates);
      this.#writable = this.#options.write(updates);
    }
    if (!this.full) this.#tellRoom();
  }

  #note(updates: readonly StoredUpdate[]): void {
    const batch: Batch = { open: updates.length };
    for (const { channelId, updateId } of updates) {
      const sent = this.#sent.get(channelId) ?? [];
      sent.push({ updateId, batch });
      this.#sent.set(channelId, sent);
    }
    const idle = this.#inFlight === 0;
    this.#inFlight += updates.length;
    this.#batches++;
    if (idle) this.#watch();
  }

  #watch(): void {
    this.#watchdog?.cancel();
    this.#watchdog = undefined;
    if (this.#inFlight === 0 || this.#stopped) return;
    this.#watchdog = this.#options.clock.after(RECEIPT_TIMEOUT_MS, this.#options.stuck);
  }

  #tellRoom(): void {
    for (const resolve of this.#wantRoom.splice(0)) resolve();
  }
}

/** How many of the first updates make one batch: at least one, within both limits. */
export function batchLength(updates: readonly StoredUpdate[], maxUpdates: number): number {
  let bytes = 0;
  const most = Math.min(updates.length, maxUpdates);
  for (let count = 0; count < most; count++) {
    const { header, payload } = must(updates[count], "waiting update");
    bytes += header.length + payload.length + FRAMING_BYTES;
    if (bytes > MAX_BATCH_BYTES && count > 0) return count;
  }
  return most;
}
