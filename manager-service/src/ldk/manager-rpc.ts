/**
 * One gRPC connection to the manager-service: unary calls with a deadline, refusals as values, everything
 * under way cancelled at close. A new connection uses a new client, so that waiting is decided by our own
 * back-off and by nothing inside grpc-js (monitors/rpc.ts does the same towards monitors).
 */
import {
  Metadata,
  type CallOptions,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ServiceError,
} from "@grpc/grpc-js";
import { toHex } from "@farwatch/protocol/bytes";
import { ERROR_TRAILER, parseErrorDetail } from "@farwatch/protocol/convert/error";
import { ManagerServiceClient } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type * as wire from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { textOf } from "./errors.js";

/** Ms. After it the outcome is unknown and the same bytes go again. */
export const CALL_DEADLINE_MS = 10_000;
/** Ms. A half-open connection is found within the sum of both (reliability 3.7). */
const KEEPALIVE_TIME_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Bytes of one message: a ChannelMonitor of a channel with a million payments does not fit, one of 400 takes 64 kB. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const SESSION_METADATA = "farwatch-session";

const CLIENT_OPTIONS: Partial<ClientOptions> = {
  "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.enable_retries": 0,
  "grpc.use_local_subchannel_pool": 1, // a shared one would carry an older client's back-off over
};

/** The connection cannot go on; `refusal` when the manager-service said why. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  constructor(
    message: string,
    readonly refusal?: Refusal,
  ) {
    super(message);
  }
}

export type UpdateStream = ClientDuplexStream<
  wire.UpdateChannelRequest,
  wire.UpdateChannelResponse
>;

type UnaryStart<S> = (
  metadata: Metadata,
  options: Partial<CallOptions>,
  done: (error: ServiceError | null, response: S) => void,
) => ClientUnaryCall;

interface Stream {
  cancel(): void;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export class ManagerRpc {
  readonly #client: ManagerServiceClient;
  readonly #underWay = new Set<{ cancel(): void }>();
  #metadata = new Metadata();
  #closed = false;

  constructor(address: string, credentials: ChannelCredentials) {
    this.#client = new ManagerServiceClient(address, credentials, CLIENT_OPTIONS);
  }

  // Unary: a refusal is a value; throws ConnectionLost when there was no answer.
  async openNodeSession(
    request: wire.OpenNodeSessionRequest,
  ): Promise<Result<wire.OpenNodeSessionResponse, Refusal>> {
    const opened = await this.#call<wire.OpenNodeSessionResponse>((_none, o, done) =>
      this.#client.openNodeSession(request, new Metadata(), o, done),
    );
    if (opened.ok) this.#metadata.set(SESSION_METADATA, toHex(opened.value.sessionId));
    return opened;
  }
  watchChannel(
    request: wire.WatchChannelRequest,
  ): Promise<Result<wire.WatchChannelResponse, Refusal>> {
    return this.#call<wire.WatchChannelResponse>((md, o, done) =>
      this.#client.watchChannel(request, md, o, done),
    );
  }
  done(request: wire.DoneRequest): Promise<Result<wire.DoneResponse, Refusal>> {
    return this.#call<wire.DoneResponse>((md, o, done) => this.#client.done(request, md, o, done));
  }
  putLdkCheckpoint(
    request: wire.PutLdkCheckpointRequest,
  ): Promise<Result<wire.PutLdkCheckpointResponse, Refusal>> {
    return this.#call<wire.PutLdkCheckpointResponse>((md, o, done) =>
      this.#client.putLdkCheckpoint(request, md, o, done),
    );
  }

  // Streams: close() cancels them.
  updateChannel(): UpdateStream {
    return this.#stream(() => this.#client.updateChannel(this.#metadata));
  }
  subscribe(): ClientReadableStream<wire.SubscribeResponse> {
    return this.#stream(() => this.#client.subscribe({}, this.#metadata));
  }
  getLdkMonitor(
    request: wire.GetLdkMonitorRequest,
  ): ClientReadableStream<wire.GetLdkMonitorResponse> {
    return this.#stream(() => this.#client.getLdkMonitor(request, this.#metadata));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const call of [...this.#underWay]) call.cancel();
    this.#client.close();
  }

  #call<S>(start: UnaryStart<S>): Promise<Result<S, Refusal>> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new ConnectionLost("connection is closed"));
      const deadline = Date.now() + CALL_DEADLINE_MS;
      const call = start(this.#metadata, { deadline }, (error, response) => {
        this.#underWay.delete(call);
        if (error === null) return resolve(ok(response));
        const lost = lostBy(error);
        if (lost.refusal === undefined) reject(lost);
        else resolve(err(lost.refusal));
      });
      this.#underWay.add(call);
    });
  }

  #stream<C extends Stream>(start: () => C): C {
    if (this.#closed) throw new ConnectionLost("connection is closed");
    const call = start();
    call.on("error", () => this.#underWay.delete(call)); // its reader is told too, and acts
    this.#underWay.add(call);
    return call;
  }
}

export const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && "code" in error && "metadata" in error;

/** Any error of a call or stream as the end of a connection, with the refusal if one was sent. */
export function lostBy(error: unknown): ConnectionLost {
  if (error instanceof ConnectionLost) return error;
  if (!isServiceError(error)) return new ConnectionLost(textOf(error));
  const [trailer] = error.metadata.get(ERROR_TRAILER);
  const refusal = trailer instanceof Uint8Array ? parseErrorDetail(trailer) : undefined;
  return new ConnectionLost(refusal?.message ?? error.details, refusal);
}
