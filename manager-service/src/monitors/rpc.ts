/**
 * One gRPC connection to a monitor over mutual TLS: unary calls with a deadline, refusals as values,
 * and everything under way cancelled at close. A new connection uses a new client, so that waiting is
 * decided by our own backoff and by nothing inside grpc-js.
 */
import {
  credentials,
  Metadata,
  type CallOptions,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ServiceError,
} from "@grpc/grpc-js";
import { ERROR_TRAILER, parseErrorDetail } from "@farwatch/protocol/convert/error";
import { MonitorServiceClient } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type * as wire from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { explainFailure } from "./explain-failure.js";
import type { LinkTls } from "./link-options.js";

/** Ms. Every unary call (reliability 3.7); after it the outcome is unknown and the bytes go again. */
export const CALL_DEADLINE_MS = 10_000;
/** Ms. With the timeout below, half-open TCP is found within 40 s (reliability 3.7). */
export const KEEPALIVE_TIME_MS = 30_000;
export const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Bytes of one message in either direction: one batch of updates or receipts (reliability 3.7). */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

const CLIENT_OPTIONS: Partial<ClientOptions> = {
  "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.enable_retries": 0,
  "grpc.use_local_subchannel_pool": 1, // a shared one would carry an older client's backoff over
};

/** The connection cannot go on; `refusal` when the monitor said why. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  constructor(
    message: string,
    readonly refusal?: Refusal,
  ) {
    super(message);
  }
}

type UnaryStart<S> = (
  metadata: Metadata,
  options: Partial<CallOptions>,
  done: (error: ServiceError | null, response: S) => void,
) => ClientUnaryCall;

interface Cancellable {
  cancel(): void;
}
interface CancellableStream extends Cancellable {
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** Over gRPC with mutual TLS. */
export const openRpc = (address: string, { ca, cert, key }: LinkTls): Rpc =>
  new Rpc(new MonitorServiceClient(address, credentials.createSsl(ca, key, cert), CLIENT_OPTIONS));

export class Rpc {
  readonly #client: MonitorServiceClient;
  readonly #underWay = new Set<Cancellable>();
  #closed = false;

  /** Closes the client with itself. */
  constructor(client: MonitorServiceClient) {
    this.#client = client;
  }

  // Unary: the monitor's refusal is a value; throws ConnectionLost when it did not answer.
  getInfo(): Promise<Result<wire.GetInfoResponse, Refusal>> {
    return this.#call<wire.GetInfoResponse>((md, o, done) => this.#client.getInfo({}, md, o, done));
  }
  openSession(
    request: wire.OpenSessionRequest,
  ): Promise<Result<wire.OpenSessionResponse, Refusal>> {
    return this.#call<wire.OpenSessionResponse>((md, o, done) =>
      this.#client.openSession(request, md, o, done),
    );
  }
  getChannel(request: wire.GetChannelRequest): Promise<Result<wire.GetChannelResponse, Refusal>> {
    return this.#call<wire.GetChannelResponse>((md, o, done) =>
      this.#client.getChannel(request, md, o, done),
    );
  }
  watchChannel(
    request: wire.WatchChannelRequest,
  ): Promise<Result<wire.WatchChannelResponse, Refusal>> {
    return this.#call<wire.WatchChannelResponse>((md, o, done) =>
      this.#client.watchChannel(request, md, o, done),
    );
  }
  putPreimages(
    request: wire.PutPreimagesRequest,
  ): Promise<Result<wire.PutPreimagesResponse, Refusal>> {
    return this.#call<wire.PutPreimagesResponse>((md, o, done) =>
      this.#client.putPreimages(request, md, o, done),
    );
  }
  ackEvents(request: wire.AckEventsRequest): Promise<Result<wire.AckEventsResponse, Refusal>> {
    return this.#call<wire.AckEventsResponse>((md, o, done) =>
      this.#client.ackEvents(request, md, o, done),
    );
  }
  broadcastHolderCommitment(
    request: wire.BroadcastHolderCommitmentRequest,
  ): Promise<Result<wire.BroadcastHolderCommitmentResponse, Refusal>> {
    return this.#call<wire.BroadcastHolderCommitmentResponse>((md, o, done) =>
      this.#client.broadcastHolderCommitment(request, md, o, done),
    );
  }
  signBump(request: wire.SignBumpRequest): Promise<Result<wire.SignBumpResponse, Refusal>> {
    return this.#call<wire.SignBumpResponse>((md, o, done) =>
      this.#client.signBump(request, md, o, done),
    );
  }

  // Streams: close() cancels them; throws ConnectionLost when already closed.
  updateChannel(): ClientDuplexStream<wire.UpdateChannelRequest, wire.UpdateChannelResponse> {
    return this.#stream(() => this.#client.updateChannel());
  }
  streamEvents(epoch: bigint): ClientReadableStream<wire.StreamEventsResponse> {
    return this.#stream(() => this.#client.streamEvents({ epoch }));
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
      const call = start(new Metadata(), { deadline }, (error, response) => {
        this.#underWay.delete(call);
        if (error === null) return resolve(ok(response));
        const lost = lostBy(error);
        if (lost.refusal === undefined) reject(lost);
        else resolve(err(lost.refusal));
      });
      this.#underWay.add(call);
    });
  }

  #stream<C extends CancellableStream>(start: () => C): C {
    if (this.#closed) throw new ConnectionLost("connection is closed");
    const call = start();
    call.on("error", () => this.#underWay.delete(call)); // its reader is told too, and acts
    this.#underWay.add(call);
    return call;
  }
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && "code" in error && "metadata" in error;

/** Any error of a call or stream as the end of a connection, with the monitor's refusal if it sent one. */
export function lostBy(error: unknown): ConnectionLost {
  if (error instanceof ConnectionLost) return error;
  if (!isServiceError(error)) {
    return new ConnectionLost(error instanceof Error ? error.message : "unknown error");
  }
  const [trailer] = error.metadata.get(ERROR_TRAILER);
  const refusal = trailer instanceof Uint8Array ? parseErrorDetail(trailer) : undefined;
  if (refusal === undefined) return new ConnectionLost(explainFailure(error.details));
  return new ConnectionLost(`${refusal.reason}: ${refusal.message}`, refusal);
}
