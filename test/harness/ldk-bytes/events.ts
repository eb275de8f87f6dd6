/** `MonitorEvent`, `HTLCUpdate` (channelmonitor.rs) and `SpendableOutputDescriptor` (sign/mod.rs). */
import { ANCHORED, parameters } from "./commitments.js";
import { u64, unit, type Draw } from "./primitives.js";
import { forwardSource, onionFailure, ownFailure, type Line } from "./sources.js";
import {
  bareVariant,
  fieldsOf,
  opaqueOf,
  optionOf,
  restOf,
  structOf,
  structVariant,
  type Built,
} from "./wire.js";

/** Up to main: a preimage is there or not. */
export const htlcUpdate = (draw: Draw, line: Line, claimed: boolean): Built =>
  structOf([
    [0, "payment_hash", draw.hash()],
    [1, "htlc_value_satoshis", draw.sats()],
    [2, "source", forwardSource(draw, line)],
    [4, "payment_preimage", claimed ? draw.hash() : undefined],
  ]);

/** The pull request: the preimage as an `Option` within its record, the amount too, and the outcome whole. */
export function htlcUpdatePersistent(draw: Draw, outcome: "claimed" | "failed" | "onion"): Built {
  const preimage = draw.hash();
  const claimed = outcome === "claimed";
  const amount = 1000n * 123_456_789n;
  const reason = outcome === "onion" ? onionFailure(draw) : ownFailure(draw);
  const resolution = claimed
    ? structVariant(1, "Claimed", [
        [1, "preimage", preimage],
        [3, "skimmed_fee_msat", draw.msats()],
      ])
    : structVariant(3, "Failed", [[1, "reason", reason]]);
  return structOf([
    [0, "payment_hash", draw.hash()],
    [1, "htlc_value_satoshis", u64(amount / 1000n)],
    [2, "source", forwardSource(draw, "pr4640")],
    [4, "legacy_payment_preimage", claimed ? optionOf(preimage) : undefined],
    [5, "user_channel_id", draw.big()],
    [7, "htlc_value_msat", optionOf(u64(amount))],
    [9, "resolution", resolution],
  ]);
}

/** An amount that nobody wrote down: both records of it are without one. */
export const htlcUpdateWithoutAmount = (draw: Draw): Built =>
  structOf([
    [0, "payment_hash", draw.hash()],
    [2, "source", forwardSource(draw, "pr4640")],
    [7, "htlc_value_msat", optionOf(undefined)],
    [9, "resolution", structVariant(3, "Failed", [[1, "reason", ownFailure(draw)]])],
  ]);

export const htlcEvent = (update: Built): Built => bareVariant(2, "HTLCEvent", update);

export const completed = (draw: Draw): Built =>
  structVariant(0, "Completed", [
    [0, "funding_txo", draw.outpoint()],
    [2, "monitor_update_id", draw.id()],
    [4, "channel_id", draw.hash()],
  ]);

export const closedWithInfo = (draw: Draw, reason: Built, outpoint = draw.outpoint()): Built =>
  structVariant(5, "HolderForceClosedWithInfo", [
    [0, "reason", reason],
    [2, "outpoint", outpoint],
    [4, "channel_id", draw.hash()],
  ]);

export const closed = (draw: Draw, outpoint = draw.outpoint()): Built =>
  bareVariant(4, "HolderForceClosed", outpoint);

/** Nothing follows the number. */
export const commitmentConfirmed = (): Built => bareVariant(1, "CommitmentTxConfirmed", unit);

export const withId = (id: bigint, event: Built): Built =>
  fieldsOf([
    ["id", u64(id)],
    ["event", event],
  ]);

export const staticOutput = (draw: Draw): Built =>
  structVariant(0, "StaticOutput", [
    [0, "outpoint", draw.outpoint()],
    [1, "channel_keys_id", draw.hash()],
    [2, "output", draw.txOut()],
  ]);

/** With the channel's parameters (0.2), those of a channel that was spliced. */
export const delayedOutput = (draw: Draw): Built =>
  bareVariant(
    1,
    "DelayedPaymentOutput",
    structOf([
      [0, "outpoint", draw.outpoint()],
      [2, "per_commitment_point", draw.key()],
      [4, "to_self_delay", draw.short()],
      [6, "output", draw.txOut()],
      [8, "revocation_pubkey", draw.key()],
      [10, "channel_keys_id", draw.hash()],
      [12, "channel_value_satoshis", draw.sats()],
      [13, "channel_transaction_parameters", parameters(draw, ANCHORED, { spliced: true })],
    ]),
  );

export const paymentOutput = (draw: Draw): Built =>
  bareVariant(
    2,
    "StaticPaymentOutput",
    structOf([
      [0, "outpoint", draw.outpoint()],
      [2, "output", draw.txOut()],
      [4, "channel_keys_id", draw.hash()],
      [6, "channel_value_satoshis", draw.sats()],
      [7, "channel_transaction_parameters", parameters(draw, ANCHORED)],
    ]),
  );

/** Events that a monitor keeps for the node (events/mod.rs). */
export const spendableEvent = (draw: Draw): Built =>
  structVariant(5, "SpendableOutputs", [
    [0, "outputs", restOf([staticOutput(draw), delayedOutput(draw), paymentOutput(draw)])],
    [1, "channel_id", draw.hash()],
    [3, "counterparty_node_id", draw.key()],
  ]);
/** The node's business alone: carried, not read. */
export function discardEvent(draw: Draw): Built {
  const info = structVariant(1, "OutPoint", [[1, "outpoint", draw.outpoint()]]);
  const event = structVariant(11, "DiscardFunding", [
    [0, "channel_id", draw.hash()],
    [4, "funding_info", info],
  ]);
  return { wire: opaqueOf(event).wire, meaning: { Unknown: { variant: "11" } } };
}
export const bumpEvent = (): Built => structVariant(27, "BumpTransaction", []);
