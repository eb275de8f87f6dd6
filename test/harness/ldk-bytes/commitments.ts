/** Commitments and channel parameters as ln/chan_utils.rs writes them; steps carry them, and so do monitors. */
import { ANCHORS, STATIC_REMOTE_KEY, bool, u32, u64, unit, type Draw } from "./primitives.js";
import { fieldsOf, optionOf, restOf, structOf, type Built, type Tlv } from "./wire.js";

/** What a channel is of: its features, and whether LDK writes the record that old readers refuse. */
export interface Kind {
  readonly features: Built;
  readonly marked: boolean;
}
export const PLAIN: Kind = { features: STATIC_REMOTE_KEY, marked: false };
export const ANCHORED: Kind = { features: ANCHORS, marked: true };

const marker = (kind: Kind): Built | undefined => (kind.marked ? unit : undefined);

export interface HtlcChoice {
  readonly offered: boolean;
  /** Its output in the transaction; without one it is dust. */
  readonly index?: number;
}

export const htlc = (draw: Draw, { offered, index }: HtlcChoice): Built =>
  structOf([
    [0, "offered", bool(offered)],
    [2, "amount_msat", draw.msats()],
    [4, "cltv_expiry", draw.height()],
    [6, "payment_hash", draw.hash()],
    [8, "transaction_output_index", index === undefined ? undefined : u32(index)],
  ]);

export const sourcedHtlc = (wanted: Built, source?: Built): Built =>
  fieldsOf([
    ["htlc", wanted],
    ["source", optionOf(source)],
  ]);

export const signedHtlc = (wanted: Built, signature?: Built, source?: Built): Built =>
  fieldsOf([
    ["htlc", wanted],
    ["signature", optionOf(signature)],
    ["source", optionOf(source)],
  ]);

const fiveKeys = (draw: Draw, names: readonly string[]): Built =>
  structOf(names.map((name, at): Tlv => [2 * at, name, draw.key()]));

export const txCreationKeys = (draw: Draw): Built =>
  fiveKeys(draw, [
    "per_commitment_point",
    "revocation_key",
    "broadcaster_htlc_key",
    "countersignatory_htlc_key",
    "broadcaster_delayed_payment_key",
  ]);

export const channelPublicKeys = (draw: Draw): Built =>
  fiveKeys(draw, [
    "funding_pubkey",
    "revocation_basepoint",
    "payment_point",
    "delayed_payment_basepoint",
    "htlc_basepoint",
  ]);

export function commitment(draw: Draw, kind: Kind, htlcs: readonly Built[]): Built {
  const built = structOf([
    [0, "transaction", draw.transaction()],
    [2, "txid", draw.txid()],
  ]);
  return structOf([
    [0, "commitment_number", u64(2n ** 48n - 1n - BigInt(draw.data(1)[0] ?? 0))],
    [1, "to_broadcaster_delay", draw.short()],
    [2, "to_broadcaster_value_sat", draw.sats()],
    [4, "to_countersignatory_value_sat", draw.sats()],
    [6, "feerate_per_kw", draw.count()],
    [8, "keys", txCreationKeys(draw)],
    [10, "built", built],
    [12, "nondust_htlcs", restOf(htlcs)],
    [14, "legacy_deserialization_prevention_marker", marker(kind)],
    [15, "channel_type_features", kind.features],
  ]);
}

export const holderCommitment = (draw: Draw, kind: Kind, htlcs: readonly Built[]): Built =>
  structOf([
    [0, "inner", commitment(draw, kind, htlcs)],
    [2, "counterparty_sig", draw.signature()],
    [4, "holder_sig_first", bool(htlcs.length % 2 === 0)],
    [6, "counterparty_htlc_sigs", restOf(htlcs.map(() => draw.signature()))],
  ]);

export interface ParameterChoice {
  /** The funding that a splice replaces (0.2). */
  readonly spliced?: boolean;
  /** 0.1 writes no amount here. */
  readonly valueless?: boolean;
}

export function parameters(draw: Draw, kind: Kind, choice: ParameterChoice = {}): Built {
  const counterparty = structOf([
    [0, "pubkeys", channelPublicKeys(draw)],
    [2, "selected_contest_delay", draw.short()],
  ]);
  return structOf([
    [0, "holder_pubkeys", channelPublicKeys(draw)],
    [2, "holder_selected_contest_delay", draw.short()],
    [4, "is_outbound_from_holder", bool(true)],
    [6, "counterparty_parameters", counterparty],
    [8, "funding_outpoint", draw.outpoint()],
    [10, "legacy_deserialization_prevention_marker", marker(kind)],
    [11, "channel_type_features", kind.features],
    [12, "splice_parent_funding_txid", choice.spliced === true ? draw.txid() : undefined],
    [13, "channel_value_satoshis", choice.valueless === true ? undefined : draw.sats()],
  ]);
}

/** `CommitmentHTLCData` (channelmonitor.rs), 0.2. */
export const htlcData = (sources: readonly Built[], dust: readonly Built[]): Built =>
  structOf([
    [1, "nondust_htlc_sources", restOf(sources)],
    [3, "dust_htlcs", restOf(dust)],
  ]);
