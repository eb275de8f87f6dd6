/**
 * A new commitment that we can broadcast. Outbound HTLCs the counterparty fulfilled become claim events
 * here (R10); those it failed are only remembered until the counterparty revokes (R12).
 */
import { msat } from "@farwatch/protocol/amount";
import { commitmentNumber, hashOfPreimage, htlcId, type SourceKey } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import type { CommitmentHtlc, HolderCommitment } from "@farwatch/protocol/channel";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { ClaimedHtlc, UpdateStep } from "@farwatch/protocol/update";
import { checkHolderCommitment, type ChannelBasis } from "../commitments.js";
import { asOutbound, counterpartyCommitments, holderCommitments } from "../htlcs.js";
import type { MonitorState, OutboundHtlc } from "../state.js";
import { change, claimOutbound, learnPreimage, withEntry, type Work } from "../work.js";
import type { ReceivedUpdate } from "../input.js";
import { checkPending } from "./on-every-funding.js";

type HolderStep = Extract<UpdateStep, { kind: "latestHolderCommitment" }>;

export function nextHolderCommitment(
  work: Work,
  update: ReceivedUpdate,
  step: HolderStep,
): Result<void, Refusal> {
  const { commitment } = step;
  const expected = commitmentNumber(work.state.holder.commitmentNumber + 1);
  if (commitment.commitmentNumber !== expected) {
    return err(
      refuse("malformed", "not the next holder commitment", {
        field: "commitment_number",
        expected: String(expected),
      }),
    );
  }
  const verify = (basis: ChannelBasis, on: HolderCommitment): Result<void, Refusal> =>
    update.verifySignatures ? checkHolderCommitment(work.ctx, basis, on) : ok(undefined);
  const checked = verify(work.state, commitment);
  if (!checked.ok) return checked;
  const onPending = checkPending(work.state, step, verify);
  if (!onPending.ok) return onPending;
  for (const [index, claimed] of step.claimed.entries()) {
    const told = claim(work, update, claimed);
    if (!told) {
      return err(
        refuse("malformed", "the preimage does not open the HTLC's payment hash", {
          field: `claimed_htlcs[${index}].preimage`,
        }),
      );
    }
  }
  for (const { sourceKey, reason } of step.failed) {
    change(work, { failReasons: withEntry(work.state.failReasons, sourceKey, reason) });
  }
  change(work, {
    holder: commitment,
    holderPrevious: work.state.holder,
    pendingFundings: work.state.pendingFundings.map((scope, index) => ({
      ...scope,
      holder: must(onPending.value[index], "one for every funding"),
      holderPrevious: scope.holder,
    })),
  });
  return ok(undefined);
}

/**
 * The HTLC must still be in a counterparty commitment: we have not signed its removal yet. One that is
 * not found never costs the preimage (contract 2.12): it is stored and told with what the entry says.
 */
function claim(work: Work, update: ReceivedUpdate, claimed: ClaimedHtlc): boolean {
  const hash = hashOfPreimage(claimed.preimage);
  const found = findOutbound(work.state, claimed.sourceKey);
  if (found !== undefined && found.paymentHash !== hash) return false;
  if (found === undefined) learnPreimage(work, hash, claimed.preimage);
  const htlc: OutboundHtlc = found ?? {
    source: {
      sourceKey: claimed.sourceKey,
      origin: { kind: "trampoline", inbound: [] },
      opaque: new Uint8Array(),
    },
    htlcId: htlcId(0),
    paymentHash: hash,
    amountMsat: msat(0),
  };
  claimOutbound(
    work,
    htlc,
    claimed.preimage,
    { kind: "update", updateId: update.updateId },
    claimed,
  );
  return true;
}

/** An event that `claim` made of an entry alone. */
export const isOfUnknownHtlc = ({ body }: Pick<NewMonitorEvent, "body">): boolean =>
  body.kind === "htlcEvent" &&
  body.source.origin.kind === "trampoline" &&
  body.source.origin.inbound.length === 0 &&
  body.source.opaque.length === 0;

function findOutbound(state: MonitorState, key: SourceKey): OutboundHtlc | undefined {
  const lists: readonly (readonly CommitmentHtlc[])[] = [
    ...counterpartyCommitments(state),
    ...holderCommitments(state),
  ].map((commitment) => commitment.htlcs);
  for (const htlcs of lists) {
    const htlc = htlcs.find((candidate) => candidate.source?.sourceKey === key);
    if (htlc !== undefined) return asOutbound(htlc);
  }
  return undefined;
}
