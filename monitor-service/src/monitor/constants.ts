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
 * An output the counterparty can also spend within this many blocks is claimed alone, so that a
 * pinned or contested input cannot hold up the others. LDK
 * `COUNTERPARTY_CLAIMABLE_WITHIN_BLOCKS_PINNABLE` (12).
 */
export const CONTESTED_SOON_BLOCKS = 12;

/**
 * Blocks between the expiry of an outbound HTLC and that of the inbound one it was forwarded from, at
 * least. LDK `MIN_CLTV_EXPIRY_DELTA` (48 since 0.2). Here: how long a refund may take before it is late.
 */
export const MIN_CLTV_EXPIRY_DELTA = 48;

/** Inputs of one justice transaction: 200 * about 490 weight units stays a quarter of standard weight. */
export const MAX_CLAIM_INPUTS = 200;

/** LDK `FEERATE_FLOOR`: lower bound of every estimate, 253 sat per 1000 weight units = 1 sat/vB. */
export const FLOOR_FEERATES: Feerates = { urgent: feeratePerKw(253), normal: feeratePerKw(253) };
