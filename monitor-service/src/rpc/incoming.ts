/**
 * Size and shape of requests, before anything else looks at them. A message that is too large or does
 * not parse reaches its handler as a refusal, because an exception here would be an untyped INTERNAL.
 */
import {
  MonitorServiceService,
  type MonitorServiceServer,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { MAX_BATCH_UPDATES } from "@farwatch/protocol/envelope/limits";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { countUpdates } from "./count-updates.js";
import { MAX_MESSAGE_BYTES, MAX_UPDATE_MESSAGE_BYTES } from "./limits.js";

export interface Received<T> {
  readonly message: T;
  readonly bytes: number;
}
/** A request as handlers get it. */
export type Incoming<T> = Result<Received<T>, Refusal>;

export type RpcName = keyof typeof MonitorServiceService & keyof MonitorServiceServer;

const LARGE: ReadonlySet<string> = new Set<RpcName>(["updateChannel", "watchChannel", "signBump"]);

export const limitOf = (name: string): number =>
  LARGE.has(name) ? MAX_UPDATE_MESSAGE_BYTES : MAX_MESSAGE_BYTES;

function tooLarge(what: string, limit: number): Refusal {
  return refuse("tooLarge", `${what} above the limit of ${limit}`, { limit: String(limit) });
}

function refusalOf(name: string, bytes: Buffer): Refusal | undefined {
  const limit = limitOf(name);
  if (bytes.length > limit) return tooLarge(`${bytes.length} bytes`, limit);
  // Counted before decoding: a million empty updates are small on the wire and large in memory.
  if (name === "updateChannel" && countUpdates(bytes) > MAX_BATCH_UPDATES) {
    return tooLarge("updates in one batch", MAX_BATCH_UPDATES);
  }
  return undefined;
}

function receive<T>(name: string, decode: (bytes: Buffer) => T, bytes: Buffer): Incoming<T> {
  const refusal = refusalOf(name, bytes);
  if (refusal !== undefined) return err(refusal);
  try {
    return ok({ message: decode(bytes), bytes: bytes.length });
  } catch {
    return err(refuse("malformed", "not a message of this type", { field: "message" }));
  }
}

const guarded = <Request, Response>(
  name: string,
  method: MethodDefinition<Request, Response>,
): MethodDefinition<Incoming<Request>, Response> => ({
  ...method,
  // Only servers use this definition; they never serialize a request.
  requestSerialize: () => Buffer.alloc(0),
  requestDeserialize: (bytes) => receive(name, method.requestDeserialize, bytes),
});

/** MonitorService with every request guarded. */
export const GUARDED_SERVICE: ServiceDefinition = Object.fromEntries(
  Object.entries(MonitorServiceService).map(([name, method]) => [
    name,
    guarded<unknown, unknown>(name, erased(method)),
  ]),
);

/** A method of the generated service, its message types forgotten. */
function erased(
  method: (typeof MonitorServiceService)[RpcName],
): MethodDefinition<unknown, unknown> {
  return {
    path: method.path,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: () => Buffer.alloc(0),
    requestDeserialize: (bytes) => method.requestDeserialize(bytes),
    responseSerialize: (value) => Reflect.apply(method.responseSerialize, method, [value]),
    responseDeserialize: (bytes) => method.responseDeserialize(bytes),
  };
}
