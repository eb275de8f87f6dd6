/**
 * Event acks on their way to one monitor, many under one signature, one call at a time. An ack that is
 * not confirmed stays an intent in the manager's store and is sent again after the next connect.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { AckResult as WireAckResult } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { BatchLoop } from "./batch-loop.js";
import type { LinkContext } from "./link-context.js";
import type { AckResult, EventAck } from "./monitor-link.js";

const KEPT = refuse("storedStateUnreadable", "the monitor cannot judge the channel's events");

const keyOf = ({ channelId, eventId, eventHash }: EventAck): string =>
  `${channelId}/${eventId}/${eventHash}`;

export class AckPipe {
  readonly #context: LinkContext;
  readonly #waiting = new Map<string, EventAck>();
  readonly #loop: BatchLoop;

  constructor(context: LinkContext) {
    this.#context = context;
    this.#loop = new BatchLoop(context, {
      waiting: this.#waiting,
      send: () => this.#sendBatch(),
    });
  }

  /** Acks for another store than the connected one are left alone: that store's events are not here. */
  push(acks: readonly EventAck[]): void {
    const { storeId } = this.#context.session;
    for (const ack of acks) if (ack.storeId === storeId) this.#waiting.set(keyOf(ack), ack);
    this.#loop.start();
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
