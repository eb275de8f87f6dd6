/**
 * UpdateChannel: signed batches in, receipts out. Batches go to the shell in the order received without
 * waiting for each other; answers leave when they are durable, which is commit order. Reading pauses
 * while too much is under way or the client does not read its answers, so memory stays bounded.
 */
import type { handleBidiStreamingCall, ServerDuplexStream } from "@grpc/grpc-js";
import { fromHex } from "@farwatch/protocol/bytes";
import { refusalToDetail } from "@farwatch/protocol/convert/error";
import { receiptBatchToWire } from "@farwatch/protocol/convert/receipt";
import type {
  UpdateChannelRequest,
  UpdateChannelResponse,
  UpdateRefused,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { SignedUpdateBatch } from "@farwatch/protocol/gen/monitor/v1/update";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { RefusedUpdate, SubmitOutcome } from "../runtime/monitor-host.js";
import { backstop, enter, logEnd, type OpenStream, type RpcDeps, type Scope } from "./call.js";
import type { Incoming } from "./incoming.js";
import { MAX_STREAM_BYTES_IN_FLIGHT, PAUSE_ABOVE_UPDATES } from "./limits.js";
import { toStatus } from "./to-status.js";

const RPC = "UpdateChannel";
type Request = Incoming<UpdateChannelRequest>;
type Call = ServerDuplexStream<Request, UpdateChannelResponse>;

export const updateChannel =
  (deps: RpcDeps): handleBidiStreamingCall<Request, UpdateChannelResponse> =>
  (call) => {
    const started = deps.nowMs();
    const scope = enter(deps, call);
    if (scope.ok) {
      new UpdateStream(deps, call, scope.value, started).start();
      return;
    }
    logEnd(deps, RPC, call.getPeer(), started, scope.error);
    call.emit("error", toStatus(scope.error));
  };

class UpdateStream implements OpenStream {
  readonly #deps: RpcDeps;
  readonly #call: Call;
  readonly #scope: Scope;
  readonly #peer: string;
  readonly #startedMs: number;
  #updates = 0;
  #bytes = 0;
  #writeBlocked = false;
  /** No further batch is taken: the client has half-closed, or the service stops. */
  #closing = false;
  #closingWith: Refusal | undefined;
  #over = false;
  readonly #onOver: (() => void)[] = [];

  constructor(deps: RpcDeps, call: Call, scope: Scope, startedMs: number) {
    this.#deps = deps;
    this.#call = call;
    this.#scope = scope;
    this.#peer = call.getPeer();
    this.#startedMs = startedMs;
  }

  start(): void {
    const call = this.#call;
    this.#deps.streams.add(this);
    call.on("data", (request: Request) => this.#receive(request));
    call.on("end", () => this.#close(undefined));
    call.on("cancelled", () => this.#end(undefined));
    call.on("drain", () => {
      this.#writeBlocked = false;
      this.#regulate();
    });
  }

  stop(): Promise<void> {
    if (this.#over) return Promise.resolve();
    const over = new Promise<void>((resolve) => this.#onOver.push(resolve));
    this.#close(refuse("stopping", "the monitor stops"));
    return over;
  }

  #receive(request: Request): void {
    if (this.#over || this.#closing) return;
    if (!request.ok) return this.#end(request.error);
    const { message, bytes } = request.value;
    const updates = message.batch?.updates.length ?? 0;
    if (message.batch === undefined || updates === 0) {
      const details = { field: "batch.updates" };
      return this.#end(refuse("malformed", "a batch has at least one update", details));
    }
    this.#updates += updates;
    this.#bytes += bytes;
    this.#regulate();
    void this.#submit(message.batch).then(() => {
      this.#updates -= updates;
      this.#bytes -= bytes;
      this.#regulate();
      this.#finishWhenIdle();
    });
  }

  /** Never rejects. */
  async #submit(batch: SignedUpdateBatch): Promise<void> {
    try {
      const { host, who } = this.#scope;
      this.#write(toResponse(await host.submitUpdates(who, batch)));
    } catch (error) {
      this.#end(backstop(this.#deps, RPC, error));
    }
  }

  #write(response: UpdateChannelResponse): void {
    if (this.#over) return;
    if (!this.#call.write(response)) this.#writeBlocked = true;
  }

  #regulate(): void {
    if (this.#over) return;
    const full =
      this.#writeBlocked ||
      this.#updates > PAUSE_ABOVE_UPDATES ||
      this.#bytes > MAX_STREAM_BYTES_IN_FLIGHT;
    if (full) this.#call.pause();
    else this.#call.resume();
  }

  #close(refusal: Refusal | undefined): void {
    this.#closing = true;
    this.#closingWith ??= refusal;
    this.#finishWhenIdle();
  }

  #finishWhenIdle(): void {
    if (this.#closing && this.#updates === 0) this.#end(this.#closingWith);
  }

  /** Ends the call once; what is under way in the shell goes on and is not answered here. */
  #end(refusal: Refusal | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#deps.streams.delete(this);
    logEnd(this.#deps, RPC, this.#peer, this.#startedMs, refusal);
    if (!this.#call.cancelled) {
      if (refusal === undefined) this.#call.end();
      else this.#call.emit("error", toStatus(refusal));
    }
    for (const done of this.#onOver) done();
  }
}

const toResponse = ({ receipts, refused }: SubmitOutcome): UpdateChannelResponse => ({
  receipts: receipts === undefined ? undefined : receiptBatchToWire(receipts),
  refused: refused.map(toRefused),
});

/** An unreadable header names neither channel nor update: both stay empty. */
const toRefused = ({ channelId, updateId, refusal }: RefusedUpdate): UpdateRefused => ({
  channelId: channelId === undefined ? Buffer.alloc(0) : Buffer.from(fromHex(channelId)),
  updateId: updateId ?? 0n,
  error: refusalToDetail(refusal),
});
