/** The TLVs behind a monitor: 0.2, 0.3 and main, and those of pull request 4640. */
import { initialCounterparty } from "./claims.js";
import { ANCHORED, holderCommitment, htlc, parameters, sourcedHtlc } from "./commitments.js";
import {
  closed,
  closedWithInfo,
  commitmentConfirmed,
  htlcEvent,
  htlcUpdate,
  htlcUpdatePersistent,
  withId,
} from "./events.js";
import { bool, bytes, u32, u64, type Draw } from "./primitives.js";
import {
  claimDetails,
  contribution,
  forwardSource,
  onionFailure,
  sentForward,
  sentRoute,
  sentTrampoline,
  tooLowFeerate,
  type Line,
} from "./sources.js";
import {
  bareVariant,
  fieldsOf,
  restOf,
  structOf,
  unitOf,
  vecOf,
  type Built,
  type Tlv,
} from "./wire.js";

export interface Trailer {
  readonly records: Built;
  /** The same events once more, as the body of a monitor up to main holds them. */
  readonly legacyEvents: readonly Built[];
}

const entry = (key: Built, value: Built): Built =>
  fieldsOf([
    ["key", key],
    ["value", value],
  ]);

function resolvedHtlc(draw: Draw): Built {
  return structOf([
    [0, "commitment_tx_output_idx", u32(0xffffffff)],
    [1, "resolving_txid", draw.txid()],
    [2, "payment_preimage", draw.hash()],
    [3, "resolving_tx", draw.transaction()],
  ]);
}

/** Tag 25: preimages by hash, each with the claims it is wanted for. */
function preimages(draw: Draw): Built {
  const known = (...claims: readonly Built[]): Built =>
    entry(
      draw.hash(),
      fieldsOf([
        ["preimage", draw.hash()],
        ["claim_details", vecOf(claims)],
      ]),
    );
  return vecOf([known(claimDetails(draw)), known()]);
}

/** A funding that waits (0.2); what was contributed to it since 0.3. */
function fundingScope(draw: Draw, line: Line): Built {
  const htlcs = vecOf([
    sourcedHtlc(htlc(draw, { offered: false, index: 1 }), forwardSource(draw, line)),
    sourcedHtlc(htlc(draw, { offered: true })),
  ]);
  const states = vecOf([entry(draw.txid(), htlcs), entry(draw.txid(), vecOf([]))]);
  return structOf([
    [1, "channel_parameters", parameters(draw, ANCHORED, { spliced: true })],
    [3, "current_counterparty_commitment_txid", draw.txid()],
    [5, "prev_counterparty_commitment_txid", draw.txid()],
    [7, "current_holder_commitment_tx", holderCommitment(draw, ANCHORED, [])],
    [9, "prev_holder_commitment_tx", holderCommitment(draw, ANCHORED, [])],
    [11, "counterparty_claimable_outpoints", states],
    [13, "contribution", line === "0.2" ? undefined : contribution(draw)],
  ]);
}

/** Up to main: the list in a TLV, and the old form of most of it in the body. */
function transientEvents(draw: Draw, line: Line): { tlv: Built; legacy: readonly Built[] } {
  const update = htlcUpdate(draw, line, true);
  const outpoint = draw.outpoint();
  const info = closedWithInfo(draw, tooLowFeerate(), outpoint);
  const tlv = restOf([htlcEvent(update), commitmentConfirmed(), info, closed(draw, outpoint)]);
  const bodyUpdate = bareVariant(0, "BodyHTLCUpdate", update);
  // The reason came later than these numbers: the body has one for the event with it, and no copy of it.
  const bodyClosed = { ...unitOf(1, "HolderForceClosed"), meaning: { HolderForceClosed: true } };
  return { tlv, legacy: [bodyUpdate, bodyClosed] };
}

function persistentEvents(draw: Draw): Built {
  return restOf([
    withId(4n, htlcEvent(htlcUpdatePersistent(draw, "claimed"))),
    withId(7n, htlcEvent(htlcUpdatePersistent(draw, "failed"))),
    withId(8n, commitmentConfirmed()),
    withId(9n, closedWithInfo(draw, tooLowFeerate())),
  ]);
}

function common(draw: Draw): readonly Tlv[] {
  const toCounterparty = fieldsOf([
    ["output_index", u32(2)],
    ["value_sat", draw.sats()],
  ]);
  const fulfilled = vecOf([
    entry(sentForward(draw), draw.hash()),
    entry(sentTrampoline(draw), draw.hash()),
  ]);
  const first = fieldsOf([
    ["per_commitment_point", draw.key()],
    ["feerate_per_kw", draw.count()],
    ["to_broadcaster_value_sat", draw.sats()],
    ["to_countersignatory_value_sat", draw.sats()],
  ]);
  return [
    [1, "funding_spend_confirmed", draw.txid()],
    [3, "htlcs_resolved_on_chain", restOf([resolvedHtlc(draw)])],
    [7, "funding_spend_seen", bool(true)],
    [9, "counterparty_node_id", draw.key()],
    [11, "confirmed_commitment_tx_counterparty_output", toCounterparty],
    [13, "spendable_txids_confirmed", restOf([draw.txid(), draw.txid()])],
    [15, "counterparty_fulfilled_htlcs", fulfilled],
    [17, "initial_counterparty_commitment_info", first],
    [19, "channel_id", draw.hash()],
    [21, "balances_empty_height", draw.height()],
    [23, "holder_pays_commitment_tx_fee", bool(true)],
    [25, "payment_preimages", preimages(draw)],
    [27, "first_negotiated_funding_txo", draw.outpoint()],
    [29, "initial_counterparty_commitment_tx", initialCounterparty(draw)],
    [31, "channel_parameters", parameters(draw, ANCHORED)],
  ];
}

function ofLine(draw: Draw, line: Line): readonly Tlv[] {
  const confirmed = fieldsOf([
    ["txid", draw.txid()],
    ["height", draw.height()],
  ]);
  // Twelve ancestors; none is known beyond the tenth.
  const ancestors = Array.from({ length: 12 }, (_, at) =>
    at < 10 ? draw.hash() : bytes(new Uint8Array(32)),
  );
  return [
    [34, "alternative_funding_confirmed", confirmed],
    [35, "is_manual_broadcast", bool(true)],
    [37, "funding_seen_onchain", bool(false)],
    [39, "previous_blocks", line === "0.2" ? undefined : restOf(ancestors)],
    [41, "contribution", line === "0.2" ? undefined : contribution(draw)],
  ];
}

const persistent = (draw: Draw): readonly Tlv[] => [
  [43, "next_monitor_event_id", u64(10)],
  [45, "user_channel_id", draw.big()],
  [47, "counterparty_failed_htlcs", vecOf([entry(sentForward(draw), onionFailure(draw))])],
];

export function trailer(draw: Draw, line: Line, pending: boolean): Trailer {
  const fundings = pending
    ? restOf([fundingScope(draw, line), fundingScope(draw, line)])
    : undefined;
  const shared: readonly Tlv[] = [
    ...common(draw),
    [32, "pending_funding", fundings],
    ...ofLine(draw, line),
  ];
  const sorted = (more: readonly Tlv[]): Built =>
    structOf([...shared, ...more].sort(([a], [b]) => a - b));
  if (line === "pr4640") {
    const records = sorted([
      [4, "pending_mon_evs_with_ids", persistentEvents(draw)],
      ...persistent(draw),
    ]);
    return { records, legacyEvents: [] };
  }
  const events = transientEvents(draw, line);
  const resolved = vecOf([sentForward(draw), sentRoute(draw)]);
  const records = sorted([
    [5, "pending_monitor_events", events.tlv],
    [33, "htlcs_resolved_to_user", resolved],
  ]);
  return { records, legacyEvents: events.legacy };
}
