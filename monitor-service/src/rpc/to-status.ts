/**
 * Refusal -> gRPC status and trailer: the one mapping, exhaustive by type (architecture 3.7). The
 * message is for people; programs read the ErrorDetail in the trailer.
 */
import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import { encodeErrorDetail, ERROR_TRAILER } from "@farwatch/protocol/convert/error";
import { REASONS, type GrpcCodeName, type Refusal } from "@farwatch/protocol/reasons";
import { MAX_STATUS_CHARACTERS } from "./limits.js";

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

export const codeOf = (refusal: Refusal): status => CODES[REASONS[refusal.reason].grpc];

/** A status message travels percent-encoded in a header: printable ASCII survives every proxy. */
const printable = (text: string): string =>
  text.replace(/[^ -~]/g, "?").slice(0, MAX_STATUS_CHARACTERS);

export function toStatus(refusal: Refusal): ServiceError {
  const metadata = new Metadata();
  metadata.set(ERROR_TRAILER, Buffer.from(encodeErrorDetail(refusal)));
  const details = printable(`${refusal.reason}: ${refusal.message}`);
  return Object.assign(new Error(details), { code: codeOf(refusal), details, metadata });
}
