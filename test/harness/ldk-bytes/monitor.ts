/**
 * `write_chanmon_internal` (channelmonitor.rs): the body field by field as LDK writes it, then the TLVs, whose
 * set tells the version.
 */
import { onchainTxHandler } from "./claims.js";
import { htlc, signedHtlc } from "./commitments.js";
import {
  bumpEvent,
  delayedOutput,
  discardEvent,
  paymentOutput,
  spendableEvent,
  staticOutput,
} from "./events.js";
import { bool, bytes, u16, u32, u48, u64, type Draw } from "./primitives.js";
import { forwardSource, routeSource, trampolineSource, type Line } from "./sources.js";
import { trailer } from "./trailer.js";
import {
  fieldsOf,
  listOf,
  optionOf,
  restOf,
  sequence,
  structOf,
  structVariant,
  raw,
  type Built,
  type NamedParts,
} from "./wire.js";

/** 49 slots; those never filled hold zeros and 2^48. */
function commitmentSecrets(draw: Draw): Built {
  const slot = (at: number): Built =>
    fieldsOf([
      ["secret", at < 3 ? draw.hash() : bytes(new Uint8Array(32))],
      ["index", u64(at < 3 ? 2n ** 48n - 1n - BigInt(at) : 2n ** 48n)],
    ]);
  return fieldsOf([
    ["old_secrets", restOf(Array.from({ length: 49 }, (_, at) => slot(at)))],
    ["tlvs", structOf([])],
  ]);
}

/** HTLCs here are not TLVs: one field after the other. */
function rawHtlc(draw: Draw, offered: boolean, source?: Built): Built {
  const plain = fieldsOf([
    ["offered", bool(offered)],
    ["amount_msat", draw.msats()],
    ["cltv_expiry", draw.height()],
    ["payment_hash", draw.hash()],
    ["transaction_output_index", optionOf(offered ? u32(3) : undefined)],
  ]);
  return fieldsOf([
    ["htlc", plain],
    ["source", optionOf(source)],
  ]);
}

function counterpartyStates(draw: Draw, current: Built, prev: Built, line: Line): Built {
  const state = (txid: Built, ...htlcs: readonly Built[]): Built =>
    fieldsOf([
      ["commitment_txid", txid],
      ["htlcs", listOf(htlcs)],
    ]);
  return listOf([
    state(current, rawHtlc(draw, false, forwardSource(draw, line)), rawHtlc(draw, true)),
    state(
      prev,
      rawHtlc(
        draw,
        false,
        line === "0.2" ? forwardSource(draw, line) : trampolineSource(draw, line),
      ),
    ),
    state(draw.txid()),
  ]);
}

/** `write_legacy_holder_commitment_data`. */
function holderTx(draw: Draw, line: Line): Built {
  const signed = htlc(draw, { offered: true, index: 0 });
  const dust = htlc(draw, { offered: false });
  return structOf([
    [0, "txid", draw.txid()],
    [1, "to_self_value_sat", draw.sats()],
    [2, "revocation_key", draw.key()],
    [4, "a_htlc_key", draw.key()],
    [6, "b_htlc_key", draw.key()],
    [8, "delayed_payment_key", draw.key()],
    [10, "per_commitment_point", draw.key()],
    [12, "feerate_per_kw", draw.count()],
    [
      14,
      "htlc_outputs",
      restOf([
        signedHtlc(signed, draw.signature(), forwardSource(draw, line)),
        signedHtlc(dust, undefined, undefined),
      ]),
    ],
  ]);
}

const flagged = (flag: number, value: Built): Built => ({
  wire: sequence(raw(Uint8Array.of(flag)), value.wire),
  meaning: value.meaning,
});

function head(draw: Draw, current: Built, prev: Built): NamedParts {
  const revokable = fieldsOf([
    ["script", draw.script(34)],
    ["per_commitment_point", draw.key()],
    ["revocation_key", draw.key()],
  ]);
  const counterparty = structOf([
    [0, "counterparty_delayed_payment_base_key", draw.key()],
    [2, "counterparty_htlc_base_key", draw.key()],
    [4, "on_counterparty_tx_csv", draw.short()],
  ]);
  const points = fieldsOf([
    ["index", u48(2n ** 48n - 5n)],
    ["first", draw.key()],
    ["second", draw.key()],
  ]);
  return [
    ["version", bytes(Uint8Array.of(1, 1))],
    ["latest_update_id", draw.id()],
    ["commitment_transaction_number_obscure_factor", u48(0x1234_5678_9abcn)],
    ["destination_script", draw.script()],
    ["broadcasted_holder_revokable_script", flagged(0, revokable)],
    ["counterparty_payment_script", draw.script()],
    ["shutdown_script", draw.script(34)],
    ["channel_keys_id", draw.hash()],
    ["holder_revocation_basepoint", draw.key()],
    ["funding_outpoint", draw.outpoint()],
    ["funding_script", draw.script(34)],
    ["current_counterparty_commitment_txid", optionOf(current)],
    ["prev_counterparty_commitment_txid", optionOf(prev)],
    ["legacy_counterparty_htlcs", u64(0)],
    ["counterparty_commitment_params", counterparty],
    ["funding_redeemscript", draw.script(71)],
    ["channel_value_satoshis", draw.sats()],
    ["their_cur_per_commitment_points", points],
    ["on_holder_tx_csv", u16(0x0203)],
    ["commitment_secrets", commitmentSecrets(draw)],
  ];
}

function middle(draw: Draw, line: Line, legacy: readonly Built[]): NamedParts {
  const onChain = fieldsOf([
    ["txid", draw.txid()],
    ["commitment_number", u48(2n ** 48n - 9n)],
  ]);
  const numbered = fieldsOf([
    ["payment_hash", draw.hash()],
    ["commitment_number", u48(2n ** 48n - 8n)],
  ]);
  return [
    ["counterparty_commitment_txn_on_chain", listOf([onChain])],
    ["counterparty_hash_commitment_number", listOf([numbered])],
    ["prev_holder_commitment", flagged(1, holderTx(draw, line))],
    ["current_holder_commitment", holderTx(draw, line)],
    ["current_counterparty_commitment_number", u48(2n ** 48n - 6n)],
    ["current_holder_commitment_number", u48(2n ** 48n - 7n)],
    ["payment_preimages", listOf([draw.hash(), draw.hash()])],
    ["legacy_pending_monitor_events", listOf(legacy)],
    ["pending_events", listOf([spendableEvent(draw), discardEvent(draw), bumpEvent()])],
    [
      "best_block",
      fieldsOf([
        ["hash", draw.hash()],
        ["height", draw.height()],
      ]),
    ],
  ];
}

/** What waits for six blocks: every kind of fact (0.2 added the one of another funding). */
function waitingFacts(draw: Draw): Built {
  const entry = (event: Built): Built =>
    structOf([
      [0, "txid", draw.txid()],
      [1, "transaction", draw.transaction()],
      [2, "height", draw.height()],
      [3, "block_hash", draw.hash()],
      [4, "event", event],
    ]);
  const toCounterparty = fieldsOf([
    ["output_index", u32(1)],
    ["value_sat", draw.sats()],
  ]);
  const lost = structVariant(0, "HTLCUpdate", [
    [0, "source", routeSource(draw)],
    [1, "htlc_value_satoshis", draw.sats()],
    [2, "payment_hash", draw.hash()],
    [3, "commitment_tx_output_idx", u32(5)],
  ]);
  return listOf([
    entry(lost),
    ...[staticOutput(draw), delayedOutput(draw), paymentOutput(draw)].map((descriptor) =>
      entry(structVariant(1, "MaturingOutput", [[0, "descriptor", descriptor]])),
    ),
    entry(structVariant(2, "AlternativeFundingConfirmation", [])),
    entry(
      structVariant(3, "FundingSpendConfirmation", [
        [0, "on_local_output_csv", u16(144)],
        [1, "commitment_tx_to_counterparty_output", toCounterparty],
      ]),
    ),
    entry(
      structVariant(5, "HTLCSpendConfirmation", [
        [0, "commitment_tx_output_idx", u32(2)],
        [2, "preimage", draw.hash()],
        [4, "on_to_local_output_csv", u16(144)],
      ]),
    ),
  ]);
}

export function monitor(draw: Draw, line: Line, pending: boolean): Built {
  const current = draw.txid();
  const prev = draw.txid();
  const tail = trailer(draw, line, pending);
  const watched = fieldsOf([
    ["txid", draw.txid()],
    [
      "outputs",
      listOf([
        fieldsOf([
          ["output_index", u32(7)],
          ["script_pubkey", draw.script()],
        ]),
      ]),
    ],
  ]);
  return fieldsOf([
    ...head(draw, current, prev),
    ["counterparty_claimable_outpoints", counterpartyStates(draw, current, prev, line)],
    ...middle(draw, line, tail.legacyEvents),
    ["onchain_events_awaiting_threshold_conf", waitingFacts(draw)],
    ["outputs_to_watch", listOf([watched])],
    ["onchain_tx_handler", onchainTxHandler(draw)],
    ["lockdown_from_offchain", bool(true)],
    ["holder_tx_signed", bool(true)],
    ["trailer", tail.records],
  ]);
}
