/**
 * The one mapping from refusals to gRPC statuses (architecture 3.7). Programs read the typed detail in
 * the trailer; the text is for people. The compiler checks that every reason has a status.
 */
import { Metadata, status, type ServerErrorResponse } from "@grpc/grpc-js";
import { encodeErrorDetail, ERROR_TRAILER } from "@farwatch/protocol/convert/error";
import { REASONS, type GrpcCodeName, type Reason, type Refusal } from "@farwatch/protocol/reasons";

const CODES: Readonly<Record<GrpcCodeName, status>> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  PERMISSION_DENIED: status.PERMISSION_DENIED,
  RESOURCE_EXHAUSTED: status.RESOURCE_EXHAUSTED,
  FAILED_PRECONDITION: status.FAILED_PRECONDITION,
  ABORTED: status.ABORTED,
  UNIMPLEMENTED: status.UNIMPLEMENTED,
  INTERNAL: status.INTERNAL,
  UNAVAILABLE: status.UNAVAILABLE,
  DATA_LOSS: status.DATA_LOSS,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
};

export const statusOf = (reason: Reason): status => CODES[REASONS[reason].grpc];

/** What grpc-js is given to end a call with a refusal. */
export function toStatus(refusal: Refusal): ServerErrorResponse {
  const metadata = new Metadata();
  metadata.set(ERROR_TRAILER, Buffer.from(encodeErrorDetail(refusal)));
  return {
    name: "Refusal",
    message: refusal.message,
    code: statusOf(refusal.reason),
    details: `${refusal.reason}: ${refusal.message}`,
    metadata,
  };
}
