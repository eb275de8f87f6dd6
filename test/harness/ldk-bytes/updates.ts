/** `ChannelMonitorUpdate` and its steps (channelmonitor.rs), with the two dialects of HTLCs that are done. */
import { bool, u64, u8, type Draw } from "./primitives.js";
import {
  ANCHORED,
  PLAIN,
  commitment,
  holderCommitment,
  htlc,
  htlcData,
  parameters,
  signedHtlc,
  sourcedHtlc,
} from "./commitments.js";
import {
  claimDetails,
  contribution,
  forwardSource,
  onionFailure,
  ownFailure,
  routeSource,
  sentForward,
  sentRoute,
  sentTrampoline,
  trampolineSource,
  type Line,
} from "./sources.js";
import { fieldsOf, listOf, restOf, structOf, structVariant, vecOf, type Built } from "./wire.js";

/** 0.2 and later write the channel alone behind the steps; 0.1 also wrote the counterparty. */
export function update(draw: Draw, steps: readonly Built[], counterparty = false): Built {
  return fieldsOf([
    [
      "version",
      fieldsOf([
        ["this", u8(1)],
        ["minimum", u8(1)],
      ]),
    ],
    ["update_id", draw.id()],
    ["updates", listOf(steps)],
    [
      "trailer",
      structOf([
        [1, "counterparty_node_id", counterparty ? draw.key() : undefined],
        [3, "channel_id", draw.hash()],
      ]),
    ],
  ]);
}

export const claimedPair = (draw: Draw, id: Built): Built =>
  fieldsOf([
    ["id", id],
    ["preimage", draw.hash()],
  ]);

/** `OutboundHTLCClaim` and `OutboundHTLCFail` of the pull request. */
const claim = (draw: Draw, id: Built, skimmed: boolean): Built =>
  structOf([
    [1, "htlc_id", id],
    [3, "preimage", draw.hash()],
    [5, "skimmed_fee_msat", skimmed ? draw.msats() : undefined],
  ]);
const fail = (id: Built, reason: Built): Built =>
  structOf([
    [0, "htlc_id", id],
    [2, "failure_reason", reason],
  ]);

const offeredAndReceived = (draw: Draw): readonly Built[] => [
  htlc(draw, { offered: true, index: 2 }),
  htlc(draw, { offered: false, index: 3 }),
];

const dustOf = (draw: Draw, line: Line): readonly Built[] => [
  sourcedHtlc(htlc(draw, { offered: true }), forwardSource(draw, line)),
  sourcedHtlc(htlc(draw, { offered: false })),
];

/** Step 0 as 0.2 and later write it: dust beside, sources of the others apart. */
export const holderInfo = (draw: Draw, line: Line): Built =>
  structVariant(0, "LatestHolderCommitmentTXInfo", [
    [0, "commitment_tx", holderCommitment(draw, ANCHORED, offeredAndReceived(draw))],
    [1, "claimed_htlcs", restOf([claimedPair(draw, sentForward(draw))])],
    [2, "htlc_outputs", restOf([signedHtlc(htlc(draw, { offered: false }))])],
    [4, "nondust_htlc_sources", restOf([forwardSource(draw, line)])],
  ]);

/** Step 0 of the pull request: the old record is there, counted, whatever it holds. */
export function holderInfoPersistent(draw: Draw, old: "filled" | "empty"): Built {
  const ids = [sentForward(draw), sentRoute(draw)];
  const legacy = vecOf(old === "filled" ? ids.map((id) => claimedPair(draw, id)) : []);
  const claims = ids.map((id, at) => claim(draw, id, at === 0));
  const failed = [
    fail(sentTrampoline(draw), onionFailure(draw)),
    fail(sentRoute(draw), ownFailure(draw)),
  ];
  return structVariant(0, "LatestHolderCommitmentTXInfo", [
    [0, "commitment_tx", holderCommitment(draw, PLAIN, offeredAndReceived(draw))],
    [1, "legacy_claimed_htlcs", legacy],
    [2, "htlc_outputs", restOf([])],
    [4, "nondust_htlc_sources", restOf([forwardSource(draw, "pr4640")])],
    [5, "claimed_htlcs", old === "filled" ? restOf(claims) : undefined],
    [7, "failed_htlcs", restOf(failed)],
  ]);
}

export const counterpartyInfo = (draw: Draw, line: Line): Built =>
  structVariant(1, "LatestCounterpartyCommitmentTXInfo", [
    [0, "commitment_txid", draw.txid()],
    [1, "feerate_per_kw", draw.count()],
    [2, "commitment_number", u64(2n ** 48n - 40n)],
    [3, "to_broadcaster_value_sat", draw.sats()],
    [4, "their_per_commitment_point", draw.key()],
    [5, "to_countersignatory_value_sat", draw.sats()],
    [
      6,
      "htlc_outputs",
      restOf([
        sourcedHtlc(htlc(draw, { offered: false, index: 4 }), trampolineSource(draw, line)),
        sourcedHtlc(htlc(draw, { offered: true })),
      ]),
    ],
  ]);

export const preimageWithClaim = (draw: Draw): Built =>
  structVariant(2, "PaymentPreimage", [
    [0, "payment_preimage", draw.hash()],
    [1, "payment_info", claimDetails(draw)],
  ]);

export const secret = (draw: Draw): Built =>
  structVariant(3, "CommitmentSecret", [
    [0, "idx", u64(2n ** 48n - 41n)],
    [2, "secret", draw.hash()],
  ]);

export const forceClosed = (): Built =>
  structVariant(4, "ChannelForceClosed", [[0, "should_broadcast", bool(false)]]);

export const shutdownScript = (draw: Draw): Built =>
  structVariant(5, "ShutdownScript", [[0, "scriptpubkey", draw.script(34)]]);

/** Step 6: the counterparty's commitments on the locked funding and on two that wait. */
export function counterpartyCommitments(draw: Draw, line: Line): Built {
  const all = [0, 1, 2].map(() => commitment(draw, ANCHORED, offeredAndReceived(draw)));
  return structVariant(6, "LatestCounterpartyCommitment", [
    [1, "commitment_txs", restOf(all)],
    [3, "htlc_data", htlcData([routeSource(draw)], dustOf(draw, line))],
  ]);
}

export const releaseComplete = (draw: Draw, id: Built = sentRoute(draw)): Built =>
  structVariant(7, "ReleasePaymentComplete", [[1, "htlc", id]]);

/** Step 8, up to 0.3. */
export const holderCommitments = (draw: Draw, line: Line): Built =>
  structVariant(8, "LatestHolderCommitment", [
    [1, "commitment_txs", twoHolders(draw)],
    [3, "htlc_data", htlcData([forwardSource(draw, line)], dustOf(draw, line))],
    [5, "claimed_htlcs", restOf([claimedPair(draw, sentForward(draw))])],
  ]);

/** Step 8 of the pull request. */
export function holderCommitmentsPersistent(draw: Draw): Built {
  const id = sentForward(draw);
  return structVariant(8, "LatestHolderCommitment", [
    [1, "commitment_txs", twoHolders(draw)],
    [3, "htlc_data", htlcData([forwardSource(draw, "pr4640")], [])],
    [5, "legacy_claimed_htlcs", vecOf([claimedPair(draw, id)])],
    [7, "claimed_htlcs", restOf([claim(draw, id, true)])],
    [9, "failed_htlcs", restOf([fail(sentRoute(draw), ownFailure(draw))])],
  ]);
}

const twoHolders = (draw: Draw): Built =>
  restOf([0, 1].map(() => holderCommitment(draw, ANCHORED, offeredAndReceived(draw))));

/** Step 10; the contribution since 0.3. */
export const renegotiatedFunding = (draw: Draw, line: Line): Built =>
  structVariant(10, "RenegotiatedFunding", [
    [1, "channel_parameters", parameters(draw, ANCHORED, { spliced: true })],
    [3, "holder_commitment_tx", holderCommitment(draw, ANCHORED, offeredAndReceived(draw))],
    [5, "counterparty_commitment_tx", commitment(draw, ANCHORED, offeredAndReceived(draw))],
    [7, "funding_contribution", line === "0.2" ? undefined : contribution(draw)],
  ]);

export const fundingLocked = (draw: Draw): Built =>
  structVariant(12, "RenegotiatedFundingLocked", [[1, "funding_txid", draw.txid()]]);
