/**
 * Event acks on their way to one monitor, many under one signature, one call at a time. An ack that is
 * not confirmed stays an intent in the manager's store and is sent again after the next connect.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { AckResult as WireAckResult } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { REASONS, refuse, type Refusal } from "@farwatch/protocol/reasons";
import { backoffDelayMs, jitterFrom } from "./backoff.js";
import type { LinkContext } from "./link-context.js";
import type { AckResult, EventAck } from "./monitor-link.js";
import { ConnectionLost } from "./rpc.js";

const KEPT = refuse("storedStateUnreadable", "the monitor cannot judge the channel's events");

const keyOf = ({ channelId, eventId, eventHash }: EventAck): string =>
  `${channelId}/${eventId}/${eventHash}`;

export class AckPipe {
  readonly #context: LinkContext;
  readonly #waiting = new Map<string, EventAck>();
  #busy = false;
  #attempts = 0;

  constructor(context: LinkContext) {
    this.#context = context;
  }

  /** Acks for another store than the connected one are left alone: that store's events are not here. */
  push(acks: readonly EventAck[]): void {
    const { storeId } = this.#context.session;
    for (const ack of acks) if (ack.storeId === storeId) this.#waiting.set(keyOf(ack), ack);
    this.#start();
  }

  #start(): void {
    if (this.#busy || this.#waiting.size === 0 || this.#context.isOver()) return;
    this.#busy = true;
    this.#context.spawn(() => this.#sendAll());
  }

  async #sendAll(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // what is acked together leaves together
    while (this.#waiting.size > 0 && !this.#context.isOver()) {
      const refusal = await this.#sendBatch();
      if (refusal !== undefined) return this.#troubled(refusal);
      this.#attempts = 0;
    }
    this.#busy = false;
  }

  async #sendBatch(): Promise<Refusal | undefined> {
    const { rpc, signer, host, identity, session } = this.#context;
    const acks = [...this.#waiting.values()].slice(0, session.limits.maxAckBatch);
    const request = signer.acks(identity.monitorKey, acks);
    const answer = await rpc.ackEvents(request);
    if (!answer.ok) return answer.error;
    for (const ack of acks) this.#waiting.delete(keyOf(ack));
    const { results } = answer.value;
    if (results.length !== acks.length) {
      return refuse("malformed", `${results.length} results for ${acks.length} acks`);
    }
    const told = acks.flatMap((ack, index) => {
      if (results[index] === WireAckResult.KEPT) host.alarm(identity, ack.channelId, KEPT);
      const result = readResult(results[index]);
      return result === undefined ? [] : [{ ack, result }];
    });
    await host.acked(identity, told);
    return undefined;
  }

  #troubled(refusal: Refusal): void {
    const { options, later, fail, host, identity } = this.#context;
    if (refusal.reason === "fenced" || refusal.reason === "sessionNotOpen") {
      return fail(new ConnectionLost(refusal.message, refusal));
    }
    if (REASONS[refusal.reason].retry === "never") {
      this.#waiting.clear();
      host.alarm(identity, undefined, refusal);
    }
    later(backoffDelayMs(this.#attempts++, jitterFrom(options.randomBytes)), () => {
      this.#busy = false;
      this.#start();
    });
  }
}

function readResult(result: WireAckResult | undefined): AckResult | undefined {
  switch (result) {
    case WireAckResult.ACKED:
      return "acked";
    case WireAckResult.ALREADY_ACKED:
      return "alreadyAcked";
    case WireAckResult.UNKNOWN:
      return "unknown";
    case WireAckResult.HASH_MISMATCH:
      return "hashMismatch";
    case WireAckResult.KEPT:
    case WireAckResult.UNSPECIFIED:
    case undefined:
      return undefined; // not confirmed: it is sent again after the next connect
    default:
      return assertNever(result);
  }
}
