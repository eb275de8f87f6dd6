/** What the monitor's `OnchainTxHandler` holds (chain/onchaintx.rs, chain/package.rs). */
import {
  ANCHORED,
  commitment,
  holderCommitment,
  htlc,
  parameters,
  type Kind,
} from "./commitments.js";
import { bytes, u32, u64, u8, unit, type Draw } from "./primitives.js";
import {
  bareVariant,
  fieldsOf,
  listOf,
  optionOf,
  structOf,
  structVariant,
  type Built,
  type Tlv,
} from "./wire.js";

const counterpartyKeys = (draw: Draw): readonly Tlv[] => [
  [0, "per_commitment_point", draw.key()],
  [1, "outpoint_confirmation_height", draw.height()],
  [2, "counterparty_delayed_payment_base_key", draw.key()],
  [4, "counterparty_htlc_base_key", draw.key()],
];

const revokedOutput = (draw: Draw, kind: Kind): Built =>
  bareVariant(
    0,
    "RevokedOutput",
    structOf([
      ...counterpartyKeys(draw),
      [6, "per_commitment_key", draw.hash()],
      [8, "weight", draw.sats()],
      [10, "amount", draw.sats()],
      [12, "on_counterparty_tx_csv", draw.short()],
      [14, "is_counterparty_balance_on_anchors", unit],
      [15, "channel_parameters", parameters(draw, kind)],
    ]),
  );

const revokedHtlc = (draw: Draw, kind: Kind): Built =>
  bareVariant(
    1,
    "RevokedHTLCOutput",
    structOf([
      ...counterpartyKeys(draw),
      [6, "per_commitment_key", draw.hash()],
      [8, "weight", draw.sats()],
      [10, "amount", draw.sats()],
      [12, "htlc", htlc(draw, { offered: true, index: 1 })],
      [13, "channel_parameters", parameters(draw, kind)],
    ]),
  );

const offeredHtlc = (draw: Draw, kind: Kind): Built =>
  bareVariant(
    2,
    "CounterpartyOfferedHTLCOutput",
    structOf([
      ...counterpartyKeys(draw),
      [6, "preimage", draw.hash()],
      [8, "htlc", htlc(draw, { offered: true, index: 2 })],
      [10, "legacy_deserialization_prevention_marker", unit],
      [11, "channel_type_features", kind.features],
      [13, "channel_parameters", parameters(draw, kind)],
    ]),
  );

const receivedHtlc = (draw: Draw, kind: Kind): Built =>
  bareVariant(
    3,
    "CounterpartyReceivedHTLCOutput",
    structOf([
      ...counterpartyKeys(draw),
      [6, "htlc", htlc(draw, { offered: false, index: 3 })],
      [8, "legacy_deserialization_prevention_marker", unit],
      [9, "channel_type_features", kind.features],
      [11, "channel_parameters", parameters(draw, kind)],
    ]),
  );

function holderHtlc(draw: Draw, kind: Kind): Built {
  const derivation = structOf([
    [0, "value_satoshis", draw.sats()],
    [2, "keys_id", draw.hash()],
    [4, "transaction_parameters", parameters(draw, kind)],
  ]);
  const descriptor = structOf([
    [0, "channel_derivation_parameters", derivation],
    [1, "feerate_per_kw", draw.count()],
    [2, "commitment_txid", draw.txid()],
    [4, "per_commitment_number", u64(2n ** 48n - 77n)],
    [6, "per_commitment_point", draw.key()],
    [8, "htlc", htlc(draw, { offered: true, index: 0 })],
    [10, "preimage", draw.hash()],
    [12, "counterparty_sig", draw.signature()],
  ]);
  return bareVariant(
    4,
    "HolderHTLCOutput",
    structOf([
      [0, "amount_msat", draw.msats()],
      [1, "outpoint_confirmation_height", draw.height()],
      [2, "cltv_expiry", draw.height()],
      [4, "preimage", draw.hash()],
      [6, "legacy_deserialization_prevention_marker", unit],
      [7, "channel_type_features", kind.features],
      [9, "htlc_descriptor", descriptor],
    ]),
  );
}

const holderFunding = (draw: Draw, kind: Kind): Built =>
  bareVariant(
    5,
    "HolderFundingOutput",
    structOf([
      [0, "funding_redeemscript", draw.script(71)],
      [1, "channel_type_features", kind.features],
      [2, "legacy_deserialization_prevention_marker", unit],
      [3, "funding_amount_sats", draw.sats()],
      [5, "commitment_tx", holderCommitment(draw, kind, [])],
      [7, "channel_parameters", parameters(draw, kind)],
    ]),
  );

/** `PackageTemplate`: inputs, then timing. */
function claimPackage(draw: Draw, ...inputs: readonly Built[]): Built {
  const input = (solving: Built): Built =>
    fieldsOf([
      ["outpoint", draw.bitcoinOutpoint()],
      ["solving_data", solving],
    ]);
  return fieldsOf([
    ["inputs", listOf(inputs.map(input))],
    [
      "timing",
      structOf([
        [0, "counterparty_spendable_height", draw.height()],
        [2, "feerate_previous", draw.sats()],
        [4, "height_original", u32(0)],
        [6, "height_timer", draw.height()],
      ]),
    ],
  ]);
}

function waitingSpends(draw: Draw, kind: Kind): Built {
  const entry = (event: Built): Built =>
    structOf([
      [0, "txid", draw.txid()],
      [1, "block_hash", draw.hash()],
      [2, "height", draw.height()],
      [4, "event", event],
    ]);
  return listOf([
    entry(structVariant(0, "Claim", [[0, "claim_id", draw.hash()]])),
    entry(
      structVariant(1, "ContentiousOutpoint", [
        [0, "package", claimPackage(draw, offeredHtlc(draw, kind))],
      ]),
    ),
  ]);
}

/** The whole handler, with every kind of claim there is. */
export function onchainTxHandler(draw: Draw, kind: Kind = ANCHORED): Built {
  const pending = fieldsOf([
    ["claim_id", draw.hash()],
    ["package", claimPackage(draw, revokedOutput(draw, kind), revokedHtlc(draw, kind))],
  ]);
  const funding = fieldsOf([
    ["claim_id", draw.hash()],
    ["package", claimPackage(draw, holderFunding(draw, kind))],
  ]);
  const outpoint = fieldsOf([
    ["outpoint", draw.bitcoinOutpoint()],
    ["claim_id", draw.hash()],
    ["height", draw.height()],
  ]);
  const delayed = fieldsOf([
    ["locktime", draw.height()],
    [
      "packages",
      listOf([
        claimPackage(draw, receivedHtlc(draw, kind)),
        claimPackage(draw, holderHtlc(draw, kind)),
      ]),
    ],
  ]);
  const prior = holderCommitment(draw, kind, [htlc(draw, { offered: false, index: 1 })]);
  return fieldsOf([
    ["version", bytes(Uint8Array.of(1, 1))],
    ["destination_script", draw.script()],
    ["holder_commitment", holderCommitment(draw, kind, [])],
    ["holder_htlc_sigs", u8(0)],
    ["prev_holder_commitment", optionOf(prior)],
    ["prev_holder_htlc_sigs", u8(0)],
    ["channel_transaction_parameters", parameters(draw, kind)],
    ["signer_length", u32(0)],
    ["pending_claim_requests", listOf([pending, funding])],
    ["claimable_outpoints", listOf([outpoint])],
    ["locktimed_packages", listOf([delayed])],
    ["onchain_events_awaiting_threshold_conf", waitingSpends(draw, kind)],
    ["tlvs", structOf([])],
  ]);
}

export const initialCounterparty = (draw: Draw): Built => commitment(draw, ANCHORED, []);
