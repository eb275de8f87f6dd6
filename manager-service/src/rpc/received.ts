/**
 * Requests as they arrive: the size is checked on the bytes, and bytes that are no message become a
 * refusal. grpc-js would answer a failed decode with a bare INTERNAL, which says "our bug" for theirs.
 */
import type { MethodDefinition } from "@grpc/grpc-js";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";

export type Received<Q> = Result<Q, Refusal>;

/** What a generated method says about itself. */
export type Method<Q, A> = Pick<
  MethodDefinition<Q, A>,
  "path" | "requestStream" | "responseStream" | "responseSerialize" | "responseDeserialize"
> & {
  readonly requestSerialize: (value: Q) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Q;
};

export function receive<Q>(
  method: { readonly requestDeserialize: (bytes: Buffer) => Q },
  maxBytes: number,
  bytes: Buffer,
): Received<Q> {
  if (bytes.length > maxBytes) {
    return err(refuse("tooLarge", "the request is too large", { limit: String(maxBytes) }));
  }
  try {
    return ok(method.requestDeserialize(bytes));
  } catch {
    // The decoder's own message may quote the bytes; that they are no message is all there is to say.
    return err(refuse("malformed", "not a valid protobuf message of this type"));
  }
}

/** The same method, with requests that are checked before they are decoded. */
export const bounded = <Q, A>(
  method: Method<Q, A>,
  maxBytes: number,
): MethodDefinition<Received<Q>, A> => ({
  path: method.path,
  requestStream: method.requestStream,
  responseStream: method.responseStream,
  responseSerialize: method.responseSerialize,
  responseDeserialize: method.responseDeserialize,
  requestDeserialize: (bytes) => receive(method, maxBytes, bytes),
  requestSerialize: (received) =>
    received.ok ? method.requestSerialize(received.value) : Buffer.alloc(0),
});
