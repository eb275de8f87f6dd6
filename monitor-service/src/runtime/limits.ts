/**
 * What one manager may ask of this service at once. Sizes of messages are shared with the manager and
 * live in @farwatch/protocol/envelope/limits; everything here is this service's own.
 */
import {
  MAX_BATCH_ACKS,
  MAX_BATCH_PREIMAGES,
  MAX_BATCH_UPDATES,
  MAX_PAYLOAD_BYTES,
} from "@farwatch/protocol/envelope/limits";
import { MAX_HTLCS_PER_SIDE } from "@farwatch/protocol/convert/limits";

/** Channels of one manager: about 10 KiB of memory each, so 100 MiB; above it, run another monitor. */
export const MAX_CHANNELS_PER_MANAGER = 10_000;
/** Updates received and not yet answered, per manager; bounds memory when the disk is slow. */
export const MAX_UPDATES_IN_FLIGHT = 8_192;
/** Log rows of a channel after which a snapshot is written in an idle moment; bounds start time. */
export const SNAPSHOT_AFTER_ROWS = 1_000;
/**
 * The same of a penalty-only channel. Its state is a few hundred bytes, and what was looked up in the chain is
 * in it: a start asks bitcoind about that many penalties of each channel again.
 */
export const PENALTY_SNAPSHOT_AFTER_ROWS = 32;
/** Log rows at which a snapshot is written even under load: a start replays at most about these. */
export const SNAPSHOT_AT_MOST_ROWS = 20_000;
/** Snapshots written in one idle moment; each is one state, encoded on the main thread. */
export const SNAPSHOTS_PER_IDLE = 4;
/** Updates decided without a pause; longer would hold up blocks and other managers. */
export const UPDATES_PER_SLICE = 64;
/**
 * Milliseconds between offers of everything outstanding: LDK's ChainMonitor rebroadcasts about as often.
 * A mempool that dropped something is without it no longer; more often only repeats known answers.
 */
export const REBROADCAST_MS = 30_000;
/** Log rows read at once when the service starts. */
export const LOG_PAGE_ROWS = 1_000;

/** As GetInfo and OpenSession report them. */
export const HOST_LIMITS = {
  maxUpdateBytes: MAX_PAYLOAD_BYTES,
  maxBatchUpdates: MAX_BATCH_UPDATES,
  maxUpdatesInFlight: MAX_UPDATES_IN_FLIGHT,
  maxChannels: MAX_CHANNELS_PER_MANAGER,
  maxHtlcsPerCommitment: 2 * MAX_HTLCS_PER_SIDE,
  maxAckBatch: MAX_BATCH_ACKS,
  maxPreimageBatch: MAX_BATCH_PREIMAGES,
} as const;
