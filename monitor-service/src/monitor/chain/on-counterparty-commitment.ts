/**
 * The counterparty's current or previous commitment confirmed (BOLT 5, "Unilateral Close Handling:
 * Remote Commitment Transaction"): claim what it offered when we know the preimage, take back what we
 * offered once it has expired.
 */
import { must } from "@farwatch/protocol/assert";
import { msatToSatFloor } from "@farwatch/protocol/amount";
import { blockHeight, type BlockHeight, type BlockPoint } from "@farwatch/protocol/block";
import type { CommitmentHtlc, CounterpartyCommitment } from "@farwatch/protocol/channel";
import type { Outpoint, PaymentHash } from "@farwatch/protocol/ids";
import { addClaims } from "../claims/add-claims.js";
import { counterpartyKeys, htlcScript, nonDustByOutput } from "../commitments.js";
import type { ClaimInput, TrackedOutput } from "../state.js";
import { change, type Work } from "../work.js";
import { failAbsentHtlcs } from "./absent-htlcs.js";
import { inboundExpiry } from "./early-fail-back.js";
import { track } from "./waiting.js";

export function handleCounterpartyCommitment(
  work: Work,
  commitment: CounterpartyCommitment,
  block: BlockPoint,
): void {
  const spend = must(work.state.spend, "set by the caller");
  change(work, {
    spend: {
      ...spend,
      commitmentNumber: commitment.commitmentNumber,
      perCommitmentPoint: commitment.perCommitmentPoint,
    },
  });
  const outputs = nonDustByOutput(commitment.htlcs).map(({ htlc, outputIndex }): TrackedOutput => ({
    outpoint: { txid: commitment.txid, vout: outputIndex },
    createdAt: block.height,
    role: { kind: "htlc", htlc },
  }));
  track(work, outputs);
  const inputs = outputs.flatMap(({ outpoint, createdAt, role }) =>
    role.kind === "htlc" ? claimInput(work, role.htlc, outpoint, createdAt) : [],
  );
  addClaims(work, inputs);
  failAbsentHtlcs(work, spend, commitment.htlcs);
}

/** A preimage that arrived after the commitment confirmed opens claims on what it offered. */
export function claimOfferedWithPreimage(work: Work, hash: PaymentHash): void {
  const inputs = work.state.tracked.flatMap(({ outpoint, createdAt, role }) =>
    role.kind === "htlc" && role.htlc.offered && role.htlc.paymentHash === hash
      ? claimInput(work, role.htlc, outpoint, createdAt)
      : [],
  );
  addClaims(work, inputs);
}

function claimInput(
  work: Work,
  htlc: CommitmentHtlc,
  outpoint: Outpoint,
  createdAt: BlockHeight,
): readonly ClaimInput[] {
  const { parameters, preimages, spend } = work.state;
  const perCommitmentPoint = must(spend?.perCommitmentPoint, "point of the confirmed commitment");
  const keys = counterpartyKeys(work.ctx, parameters, perCommitmentPoint);
  const common = {
    outpoint,
    valueSat: msatToSatFloor(htlc.amountMsat),
    script: htlcScript(parameters, keys, htlc),
    createdAt,
    perCommitmentPoint,
  };
  if (!htlc.offered) {
    // Ours: the counterparty can take it with the preimage at any time.
    return [
      {
        ...common,
        kind: "counterpartyReceived",
        contestedFrom: createdAt,
        notBefore: htlc.cltvExpiry,
        deadline: refundDeadline(htlc),
      },
    ];
  }
  const preimage = preimages.get(htlc.paymentHash);
  if (preimage === undefined) return [];
  return [
    {
      ...common,
      kind: "counterpartyOffered",
      preimage,
      contestedFrom: htlc.cltvExpiry,
      notBefore: blockHeight(0),
      deadline: htlc.cltvExpiry,
    },
  ];
}

/** A forward's refund must be safe before the inbound side expires; an own payment only waits. */
function refundDeadline({ source }: CommitmentHtlc): BlockHeight | undefined {
  const expiry = source === undefined ? Infinity : inboundExpiry(source);
  return Number.isFinite(expiry) ? blockHeight(expiry) : undefined;
}
