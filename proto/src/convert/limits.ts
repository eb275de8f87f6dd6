/** Sizes of what one message may hold; each is tested at its edge. */

/** BOLT 2: at most 483 HTLCs per direction in one commitment. */
export const MAX_HTLCS_PER_SIDE = 483;
/** BOLT 3, "Efficient Per-commitment Secret Storage": 49 stand for all of a channel. */
export const MAX_REVOKED_SECRETS = 49;
/** A node combines at most a handful of steps (LDK: 3); the bound only stops abuse. */
export const MAX_STEPS_PER_UPDATE = 16;
/** A splice and its fee bumps. BOLT 2 makes each bump pay 25/24 of the one before: 50 are a factor of 7. */
export const MAX_PENDING_FUNDINGS = 50;
/** An opaque source of LDK (a route with its keys) is a few hundred bytes to some KiB. */
export const MAX_OPAQUE_BYTES = 64 * 1024;
/** BOLT 4 error packets are about 1 KiB with attribution data. */
export const MAX_REASON_BYTES = 64 * 1024;
/** A standard scriptPubkey is at most 42 bytes (BIP 141 witness programs). */
export const MAX_SCRIPT_BYTES = 42;
/** bitcoind relays nothing of more than 400 000 weight units, and a byte is one of them at least. */
export const MAX_TRANSACTION_BYTES = 400_000;
/**
 * A penalty transaction with one input is about 250 bytes, one that takes 400 HTLC outputs too about 100,000.
 * More does not fit into a standard transaction beside its witnesses.
 */
export const MAX_PENALTY_BYTES = 100_000;
export const MAX_TEXT_BYTES = 1024;
/** A trampoline forward gathers a handful of inbound HTLCs. */
export const MAX_INBOUND_PER_SOURCE = 64;
/** Commitment numbers have 48 bits (BOLT 3). */
export const MAX_COMMITMENT_NUMBER = 2n ** 48n - 1n;
/** As many results as a channel can have HTLCs that we offered, each claimed or failed once. */
export const MAX_IMPORTED_EVENTS = MAX_HTLCS_PER_SIDE;
/**
 * LDK keeps every revoked commitment: about 85 bytes each and as much for each of its HTLCs, so this is a
 * channel after some 20 000 updates. What is read from it must fit beside it in MAX_PAYLOAD_BYTES.
 */
export const MAX_LDK_MONITOR_BYTES = 2.5 * 1024 * 1024;
/** LDK keeps preimages until their commitments are revoked: a busy channel holds some hundred. */
export const MAX_PREIMAGES = 10_000;
/** Of outbound HTLCs in at most four commitments that are not revoked. */
export const MAX_OUTCOMES = 4 * MAX_HTLCS_PER_SIDE;
