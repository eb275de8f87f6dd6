/** Sizes and counts the RPC layer enforces before the host sees a request. Each is tested at its edge. */

/** Bytes of a request that carries a state or an update (contract 2.3: a batch entry's bound). */
export const MAX_STATE_REQUEST_BYTES = 4 * 1024 * 1024;
/**
 * Bytes of a SignBump: a PSBT with its coins' transactions is large. A little below what the monitor takes,
 * because the link adds to it.
 */
export const MAX_BUMP_REQUEST_BYTES = MAX_STATE_REQUEST_BYTES - 1024;
/** Bytes of every other request: the longest honest one is a Done with a few thousand items. */
export const MAX_REQUEST_BYTES = 256 * 1024;
/**
 * Bytes at which the transport itself stops reading. Above MAX_STATE_REQUEST_BYTES, so that a request
 * slightly too large is still read and refused with a reason.
 */
export const MAX_TRANSPORT_BYTES = MAX_STATE_REQUEST_BYTES + 64 * 1024;
/**
 * Bytes of LDK's updates in one message of GetLdkMonitor; an update that is larger goes alone. A caller with
 * gRPC's default limit of 4 MiB can read all of them.
 */
export const MAX_LDK_CHUNK_BYTES = 1024 * 1024;
/** Updates of one stream not yet accepted, plus answers not yet taken by the caller: then reading pauses. */
export const MAX_UPDATES_IN_FLIGHT = 4096;
/**
 * Answers held for a caller that does not read. Reading pauses long before; completions of updates
 * accepted earlier still come, at most one for each, so four times the window is out of reach for a
 * caller that reads at all.
 */
export const MAX_BUFFERED_ANSWERS = 4 * MAX_UPDATES_IN_FLIGHT;
/** Entries in one page of a list; a channel entry holds every monitor's own view, about 10 KiB. */
export const MAX_PAGE_SIZE = 100;
/** Items one Done may name; what fits into MAX_REQUEST_BYTES with short answers is about this many. */
export const MAX_DONE_ITEMS = 10_000;
/**
 * Parts of one ClaimPayment: BOLT 2 allows 483 HTLCs of one direction in a channel, and a payment that
 * comes over ten channels filled to the brim is none that anyone sends.
 */
export const MAX_CLAIM_PARTS = 4830;
/** Bytes of a reason a person typed. */
export const MAX_REASON_TEXT = 1024;

/** A dead connection is noticed within the sum of both (milliseconds); NAT tables forget after 30 s or more. */
export const KEEPALIVE_TIME_MS = 20_000;
export const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Calls at once on one connection; a node needs two streams and a few unary calls. */
export const MAX_CONCURRENT_STREAMS = 256;
/** How long calls under way may take at a stop before the connections are cut (milliseconds). */
export const STOP_GRACE_MS = 5_000;
