/** What the transport accepts (reliability 3.7). Sizes of batches are in @farwatch/protocol/envelope. */
import type { ChannelOptions } from "@grpc/grpc-js";
import { MAX_BATCH_UPDATES } from "@farwatch/protocol/envelope/limits";
import { MAX_UPDATES_IN_FLIGHT } from "../runtime/limits.js";

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Bytes of one UpdateChannel, WatchChannel or SignBump request: one LDK update can exceed 1 MiB, and so can
 * a PSBT with what its coins' transactions say.
 */
export const MAX_UPDATE_MESSAGE_BYTES = 4 * MIB;
/** Bytes of any other request: a full batch of acks or preimages stays below it. */
export const MAX_MESSAGE_BYTES = 256 * KIB;
/**
 * Bytes at which the transport itself gives up, from the length prefix alone. Above the other limits,
 * so that a slightly oversized message still gets a typed refusal.
 */
export const TRANSPORT_MAX_BYTES = 8 * MIB;
/** Streams of one connection. A manager needs three and a few unary calls. */
export const MAX_STREAMS_PER_CONNECTION = 32;
/** Mebibytes of one HTTP/2 session, headers and buffers; grpc-js would set no limit. */
export const MAX_SESSION_MEMORY_MIB = 64;
/** Milliseconds. A peer that lost power is noticed after at most the sum of both. */
export const KEEPALIVE_INTERVAL_MS = 30_000;
export const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Milliseconds a unary call may take here; the outcome is then unknown to the caller, ids are safe. */
export const UNARY_TIMEOUT_MS = 30_000;
/** Bytes of updates that one stream may have under way; above, it is not read from. */
export const MAX_STREAM_BYTES_IN_FLIGHT = 32 * MIB;
/** A stream is read from while at most so many updates are under way: one more batch always fits. */
export const PAUSE_ABOVE_UPDATES = MAX_UPDATES_IN_FLIGHT - MAX_BATCH_UPDATES;
/** Channels per ListChannels page: what is asked for when nothing is said, and the most there is. */
export const MAX_PAGE_SIZE = 100;
/** Bytes of one answer; gRPC clients take 4 MiB unless told otherwise. */
export const MAX_RESPONSE_BYTES = 3 * MIB;
/** Milliseconds after which a connection is renewed, so that a new certificate is soon in use. */
export const MAX_CONNECTION_AGE_MS = 12 * 60 * 60 * 1000;
/** Milliseconds its streams then get to end; a cut stream costs a resend, ids make that safe. */
export const CONNECTION_AGE_GRACE_MS = 30_000;
/** Characters of a status message; details have their own field. */
export const MAX_STATUS_CHARACTERS = 500;

export const SERVER_OPTIONS: ChannelOptions = {
  "grpc.max_receive_message_length": TRANSPORT_MAX_BYTES,
  "grpc.max_concurrent_streams": MAX_STREAMS_PER_CONNECTION,
  "grpc-node.max_session_memory": MAX_SESSION_MEMORY_MIB,
  "grpc.keepalive_time_ms": KEEPALIVE_INTERVAL_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
  "grpc.max_connection_age_ms": MAX_CONNECTION_AGE_MS,
  "grpc.max_connection_age_grace_ms": CONNECTION_AGE_GRACE_MS,
};
