/**
 * StreamEvents: hands the feed's events to one client. Each hand-over resolves when the transport takes
 * more, so a slow client holds back its own feed and costs no memory: about 16 events (the stream's high
 * water mark) and one HTTP/2 window are under way.
 */
import type { handleServerStreamingCall, ServerWritableStream } from "@grpc/grpc-js";
import type { BumpItem } from "@farwatch/protocol/bump";
import { bumpItemToWire } from "@farwatch/protocol/convert/bump";
import { sealedToWire } from "@farwatch/protocol/convert/event";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import type {
  StreamEventsRequest,
  StreamEventsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { EventSubscriber, Subscription } from "../runtime/monitor-host.js";
import { backstop, enter, logEnd, type OpenStream, type RpcDeps } from "./call.js";
import type { Incoming } from "./incoming.js";
import { toStatus } from "./to-status.js";

const RPC = "StreamEvents";
type Request = Incoming<StreamEventsRequest>;
type Call = ServerWritableStream<Request, StreamEventsResponse>;

/** The client is gone; its feed ends. */
class StreamGone extends Error {
  override readonly name = "StreamGone";
}

interface Waiting {
  go(): void;
  gone(error: Error): void;
}

export const streamEvents =
  (deps: RpcDeps): handleServerStreamingCall<Request, StreamEventsResponse> =>
  (call) => {
    const stream = new EventStream(deps, call);
    try {
      stream.start();
    } catch (error) {
      stream.end(backstop(deps, RPC, error));
    }
  };

class EventStream implements EventSubscriber, OpenStream {
  readonly #deps: RpcDeps;
  readonly #call: Call;
  readonly #peer: string;
  readonly #startedMs: number;
  #subscription: Subscription | undefined;
  #waiting: Waiting | undefined;
  #over = false;

  constructor(deps: RpcDeps, call: Call) {
    this.#deps = deps;
    this.#call = call;
    this.#peer = call.getPeer();
    this.#startedMs = deps.nowMs();
  }

  start(): void {
    const { request } = this.#call;
    const scope = enter(this.#deps, this.#call);
    if (!scope.ok) return this.end(scope.error);
    if (!request.ok) return this.end(request.error);
    this.#deps.streams.add(this);
    this.#call.on("cancelled", () => this.end(undefined));
    this.#call.on("drain", () => this.#release((waiting) => waiting.go()));
    const { host, who } = scope.value;
    const subscribed = host.subscribe(who, request.value.message.epoch, this);
    if (!subscribed.ok) return this.end(subscribed.error);
    this.#subscription = subscribed.value;
    if (this.#over) subscribed.value.close();
  }

  event(event: SealedMonitorEvent): Promise<void> {
    return this.#send({ item: { $case: "event", value: sealedToWire(event) } });
  }

  endOfReplay(replayed: number): Promise<void> {
    return this.#send({ item: { $case: "endOfReplay", value: { replayed: BigInt(replayed) } } });
  }

  bump(item: BumpItem): Promise<void> {
    return this.#send({ item: { $case: "bumpRequest", value: bumpItemToWire(item) } });
  }

  stop(): Promise<void> {
    this.end(refuse("stopping", "the monitor stops"));
    return Promise.resolve();
  }

  end(refusal: Refusal | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#deps.streams.delete(this);
    logEnd(this.#deps, RPC, this.#peer, this.#startedMs, refusal);
    this.#release((waiting) => waiting.gone(new StreamGone("the stream is over")));
    this.#subscription?.close();
    if (this.#call.cancelled) return;
    if (refusal === undefined) this.#call.end();
    else this.#call.emit("error", toStatus(refusal));
  }

  /** Resolves when the client may be sent more. The feed sends one item at a time. */
  #send(response: StreamEventsResponse): Promise<void> {
    if (this.#over) return Promise.reject(new StreamGone("the stream is over"));
    if (this.#call.write(response)) return Promise.resolve();
    return new Promise((go, gone) => {
      this.#waiting = { go, gone };
    });
  }

  #release(how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) how(waiting);
  }
}
