/** Where an outgoing HTLC comes from, as ln/channelmanager.rs, routing/router.rs and ln/onion_utils.rs write it. */
import {
  bool,
  byteVec,
  bytes,
  lengthFeatures,
  text,
  u16,
  u32,
  u8,
  type Draw,
} from "./primitives.js";
import {
  bareVariant,
  fieldsOf,
  opaqueOf,
  restOf,
  sizedVariant,
  structOf,
  structVariant,
  type Built,
} from "./wire.js";

/** LDK versions that write these differently. */
export type Line = "0.2" | "0.3" | "main" | "pr4640";

/** `HTLCPreviousHopData`: 13 since 0.3, 15 in 0.3 and main but not in the pull request. */
export const previousHop = (draw: Draw, line: Line): Built =>
  structOf([
    [0, "prev_outbound_scid_alias", draw.id()],
    [1, "phantom_shared_secret", draw.hash()],
    [2, "outpoint", draw.outpoint()],
    [3, "blinded_failure", structVariant(2, "FromBlindedNode", [])],
    [4, "htlc_id", draw.id()],
    [5, "cltv_expiry", draw.height()],
    [6, "incoming_packet_shared_secret", draw.hash()],
    [7, "user_channel_id", draw.big()],
    [9, "channel_id", draw.hash()],
    [11, "counterparty_node_id", draw.key()],
    [13, "trampoline_shared_secret", line === "0.2" ? undefined : draw.hash()],
    [15, "amount_msat", line === "0.3" || line === "main" ? draw.msats() : undefined],
  ]);

export const forwardSource = (draw: Draw, line: Line): Built =>
  bareVariant(1, "PreviousHopData", previousHop(draw, line));

const routeHop = (draw: Draw): Built =>
  structOf([
    [0, "pubkey", draw.key()],
    [1, "maybe_announced_channel", bool(false)],
    [2, "node_features", lengthFeatures(draw.data(5))],
    [4, "short_channel_id", draw.id()],
    [6, "channel_features", lengthFeatures(new Uint8Array())],
    [8, "fee_msat", draw.msats()],
    [10, "cltv_expiry_delta", draw.count()],
  ]);

const blindedHop = (draw: Draw): Built =>
  fieldsOf([
    ["blinded_node_id", draw.key()],
    ["encrypted_payload", byteVec(draw.data(51))],
  ]);

const trampolineHop = (draw: Draw): Built =>
  structOf([
    [0, "pubkey", draw.key()],
    [2, "node_features", lengthFeatures(draw.data(3))],
    [4, "fee_msat", draw.msats()],
    [6, "cltv_expiry_delta", draw.count()],
  ]);

const blindedTail = (draw: Draw): Built =>
  structOf([
    [0, "hops", restOf([blindedHop(draw), blindedHop(draw)])],
    [2, "blinding_point", draw.key()],
    [4, "excess_final_cltv_expiry_delta", draw.count()],
    [6, "final_value_msat", draw.msats()],
    [8, "trampoline_hops", restOf([trampolineHop(draw)])],
  ]);

/** A payment of the node's own, over a blinded path and with the invoice paid (0.2). */
export function routeSource(draw: Draw): Built {
  const invoice = sizedVariant(0, "Bolt12Invoice", fieldsOf([["invoice", bytes(draw.data(40))]]));
  return structVariant(0, "OutboundRoute", [
    [0, "session_priv", draw.hash()],
    [1, "payment_id", draw.hash()],
    [2, "first_hop_htlc_msat", draw.msats()],
    [4, "path_hops", restOf([routeHop(draw), routeHop(draw)])],
    [6, "blinded_tail", blindedTail(draw)],
    [7, "bolt12_invoice", invoice],
  ]);
}

function dispatch(draw: Draw): Built {
  const path = structOf([
    [1, "hops", restOf([routeHop(draw)])],
    [3, "blinded_tail", blindedTail(draw)],
  ]);
  return structOf([
    [1, "payment_id", draw.hash()],
    [3, "path", path],
    [5, "session_priv", draw.hash()],
  ]);
}

/** A trampoline forward: main took the shared secret out and moved what was 5 to 3. */
export function trampolineSource(draw: Draw, line: Line): Built {
  const hops = restOf([previousHop(draw, line), previousHop(draw, line)]);
  return line === "main"
    ? structVariant(2, "TrampolineForward", [
        [1, "previous_hop_data", hops],
        [3, "outbound_payment", dispatch(draw)],
      ])
    : structVariant(2, "TrampolineForward", [
        [1, "previous_hop_data", hops],
        [3, "incoming_trampoline_shared_secret", draw.hash()],
        [5, "outbound_payment", dispatch(draw)],
      ]);
}

/** `SentHTLCId`, all three. */
export const sentForward = (draw: Draw): Built =>
  structVariant(0, "PreviousHopData", [
    [0, "prev_outbound_scid_alias", draw.id()],
    [2, "htlc_id", draw.id()],
  ]);
export const sentRoute = (draw: Draw): Built =>
  structVariant(2, "OutboundRoute", [[0, "session_priv", draw.hash()]]);
export const sentTrampoline = (draw: Draw): Built =>
  structVariant(4, "TrampolineForward", [[0, "session_priv", draw.hash()]]);

/** `HTLCFailReason` with an onion of the next node: 20 hold times, 210 truncated HMACs. */
export const onionFailure = (draw: Draw): Built =>
  structVariant(0, "LightningError", [
    [0, "data", byteVec(draw.data(292))],
    [1, "attribution_data", bytes(draw.data(20 * 4 + 210 * 4))],
    [3, "hold_time", draw.count()],
  ]);

/** One of the node itself: the code, then code and number of the reason with an empty TLV struct. */
export function ownFailure(draw: Draw): Built {
  const reason = fieldsOf([
    ["failure_code", u16(0x1007)],
    ["reason", u8(7)],
    ["tlvs", structOf([])],
  ]);
  return structVariant(1, "Reason", [
    [0, "failure_code", u16(0x1007)],
    [1, "failure_reason", reason],
    [2, "data", bytes(draw.data(9))],
  ]);
}

/** `PaymentClaimDetails` of a payment in two parts, with everything 0.3 adds. */
export function claimDetails(draw: Draw): Built {
  const part = structOf([
    [0, "counterparty_node_id", draw.key()],
    [2, "funding_txo", draw.outpoint()],
    [4, "channel_id", draw.hash()],
    [6, "htlc_id", draw.id()],
  ]);
  const purpose = structVariant(4, "Bolt12OfferPayment", [
    [0, "payment_preimage", draw.hash()],
    [2, "payment_secret", draw.hash()],
    [4, "payment_context", bareVariant(2, "Bolt12Refund", structOf([]))],
  ]);
  const claimed = structOf([
    [0, "channel_id", draw.hash()],
    [1, "counterparty_skimmed_fee_msat", draw.msats()],
    [2, "user_channel_id", draw.big()],
    [3, "counterparty_node_id", draw.key()],
    [4, "cltv_expiry", draw.height()],
    [6, "value_msat", draw.msats()],
  ]);
  const onion = structOf([
    [0, "payment_secret", draw.hash()],
    [2, "payment_metadata", byteVec(draw.data(7))],
    [3, "total_mpp_amount_msat", draw.msats()],
  ]);
  const durable = fieldsOf([
    ["outpoint", draw.outpoint()],
    ["node", draw.key()],
    ["channel", draw.hash()],
  ]);
  const claiming = structOf([
    [0, "amount_msat", draw.msats()],
    [1, "durable_preimage_channel", durable],
    [2, "payment_purpose", purpose],
    [4, "receiver_node_id", draw.key()],
    [5, "htlcs", restOf([claimed])],
    [7, "sender_intended_value", draw.msats()],
    [9, "onion_fields", onion],
    [11, "payment_id", draw.hash()],
  ]);
  return opaqueOf(
    structOf([
      [0, "mpp_parts", restOf([part, part])],
      [2, "claiming_payment", claiming],
    ]),
  );
}

/** `FundingContribution` (ln/funding.rs, util/wallet_utils.rs), 0.3. */
export function contribution(draw: Draw): Built {
  const utxo = structOf([
    [1, "outpoint", draw.bitcoinOutpoint()],
    [3, "output", draw.txOut()],
    [5, "satisfaction_weight", draw.sats()],
    [7, "sequence", bytes(Uint8Array.of(0xfd, 0xff, 0xff, 0xff))],
  ]);
  const input = structOf([
    [1, "utxo", utxo],
    [3, "sequence", bytes(Uint8Array.of(0xfd, 0xff, 0xff, 0xff))],
    [5, "prevtx", draw.transaction()],
  ]);
  return opaqueOf(
    structOf([
      [1, "estimated_fee", draw.sats()],
      [3, "inputs", restOf([input])],
      [5, "outputs", restOf([draw.txOut()])],
      [7, "change_output", draw.txOut()],
      [9, "feerate", draw.sats()],
      [11, "max_feerate", draw.sats()],
      [13, "is_splice", bool(true)],
      [15, "input_mode", structVariant(1, "CoinSelected", [])],
    ]),
  );
}

/** Why LDK closed (events/mod.rs): a reason with text, one with numbers, one with nothing. */
export const tooLowFeerate = (): Built =>
  structVariant(23, "PeerFeerateTooLow", [
    [0, "peer_feerate_sat_per_kw", u32(253)],
    [2, "required_feerate_sat_per_kw", u32(1250)],
  ]);
export const holderClosed = (): Built =>
  structVariant(2, "HolderForceClosed", [
    [1, "broadcasted_latest_txn", bool(true)],
    [3, "message", text("closing, it is time")],
  ]);
