/** Numbers that decide when the monitor acts. Each argues for itself. */
import { feeratePerKw } from "@farwatch/protocol/amount";
import type { ConstantsProfile } from "@farwatch/protocol/channel";
import type { Feerates } from "./input.js";

/**
 * Confirmations after which a confirmed fact is irreversible for us. LDK `ANTI_REORG_DELAY` (6).
 * Lower and a reorg can make us fail an inbound HTLC whose outbound side is claimed later; higher and
 * events arrive later. Not BOLT 5's 100-deep "irrevocably resolved".
 */
export const ANTI_REORG_DELAY = 6;

/**
 * Blocks past an outbound HTLC's expiry before we go on chain for it. LDK
 * `LATENCY_GRACE_PERIOD_BLOCKS` (3): gives the peer time to fail it off chain.
 */
export const LATENCY_GRACE_PERIOD_BLOCKS = 3;

/**
 * Blocks before expiry at which an inbound HTLC with a known preimage is claimed on chain. LDK
 * `CLTV_CLAIM_BUFFER`: 18 in 0.1, 36 later. Larger than the node's own and healthy channels close.
 */
export const claimBuffer = (profile: ConstantsProfile): number => (profile === "ldk_0_1" ? 18 : 36);

/**
 * Blocks above a fact that make it irrevocable (BOLT 5: "irrevocably resolved"). Until then all is kept
 * that is needed to claim again; the chain follower takes off no more blocks than this
 * (MAX_REORG_DEPTH). Lower and a deep reorganisation leaves an output to the counterparty.
 */
export const IRREVOCABLE_DEPTH = 100;

/**
 * Blocks after which a spend of the funding that a reorganisation took away is not waited for any more.
 * bitcoind puts disconnected transactions back into its mempool, so the next blocks normally hold it
 * again; sooner we would compete with it, later HTLCs come nearer to expiry.
 */
export const LOST_SPEND_BLOCKS = 3;

/**
 * Blocks between the expiry of an outbound HTLC and that of the inbound one it was forwarded from, at
 * least. LDK `MIN_CLTV_EXPIRY_DELTA`: 42 in 0.1, 48 later. Here: how long a refund may take before it
 * is late.
 */
export const minCltvExpiryDelta = (profile: ConstantsProfile): number =>
  profile === "ldk_0_1" ? 42 : 48;

/**
 * Blocks within which a claim at the urgent feerate confirms at worst. LDK `MAX_BLOCKS_FOR_CONF` (18).
 * A deadline nearer than that is urgent, whatever else the channel holds.
 */
export const MAX_BLOCKS_FOR_CONF = 18;

/**
 * Versions of one claim made at one height because bitcoind refused those before: the fee grows 2.4-fold.
 * More would let one estimate that is far off, or somebody who outbids us each time, empty the claim
 * within seconds.
 */
export const REFUSALS_PER_BLOCK = 4;

/**
 * Highest feerate a claim ever pays unless configured: 1000 sat/vB, above every block so far and the
 * default of lnd's sweeper. Lower risks a claim in a fee spike, higher burns it on a wrong estimate.
 */
export const DEFAULT_MAX_FEERATE = feeratePerKw(250_000);

/**
 * Blocks a channel with nothing left to claim is still watched. LDK `ARCHIVAL_DELAY_BLOCKS` (4032, four
 * weeks): far beyond any reorganisation, and long enough that nobody still has a question for it.
 */
export const ARCHIVAL_DELAY_BLOCKS = 4032;

/**
 * Blocks a channel closed as never funded is still watched (contract 2.16), two weeks: as long as nodes
 * wait for a funding transaction (BOLT 2, "SHOULD forget the channel if [...] 2016 blocks").
 */
export const NEVER_FUNDED_DELAY_BLOCKS = 2016;

/** LDK `FEERATE_FLOOR`: lower bound of every estimate, 253 sat per 1000 weight units = 1 sat/vB. */
export const FLOOR_FEERATES: Feerates = { urgent: feeratePerKw(253), normal: feeratePerKw(253) };
