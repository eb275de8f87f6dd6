/**
 * Balances of a channel that is not closed on chain: what our newest commitment would give us
 * (onchain-engine 11, "Not closed"). An inbound HTLC counts as ours once its preimage is known.
 */
import { msat, msatToSatFloor, sat, type Msat, type Sat } from "@farwatch/protocol/amount";
import { assertNever } from "@farwatch/protocol/assert";
import type { ChannelType, CommitmentHtlc, HolderCommitment } from "@farwatch/protocol/channel";
import {
  ANCHOR_SAT,
  channelTypeRules,
  SHARED_ANCHOR_MAX_SAT,
} from "@farwatch/protocol/bolt/channel-type";
import { commitmentFeeSat } from "@farwatch/protocol/bolt/weights";
import { confirmedScope, fundingScopes, scopeView } from "../scopes.js";
import type { MonitorState } from "../state.js";
import type { Balance, ClaimableOnChannelClose, CloseCandidate } from "./balance.js";
import { isOwnPayment, maybePreimage, maybeTimeout } from "./htlc.js";

const MSAT_PER_SAT = 1000n;

export function balancesOnClose(state: MonitorState): readonly Balance[] {
  const { htlcs } = state.holder;
  const scopes = fundingScopes(state);
  const onClose: ClaimableOnChannelClose = {
    kind: "claimableOnChannelClose",
    candidates: scopes.map((scope) => candidate(scopeView(state, scope))),
    confirmedCandidate: Math.max(0, scopes.indexOf(confirmedScope(state))),
    outboundPaymentHtlcRoundedMsat: rounded(
      htlcs.filter((htlc) => htlc.offered && isOwnPayment(htlc)),
    ),
    outboundForwardedHtlcRoundedMsat: rounded(
      htlcs.filter((htlc) => htlc.offered && !isOwnPayment(htlc)),
    ),
    inboundClaimingHtlcRoundedMsat: rounded(htlcs.filter((htlc) => isClaiming(state, htlc))),
    inboundHtlcRoundedMsat: rounded(
      htlcs.filter((htlc) => !htlc.offered && !isClaiming(state, htlc)),
    ),
  };
  const possible = htlcs.flatMap((htlc): readonly Balance[] => {
    if (htlc.outputIndex === undefined) return [];
    if (htlc.offered) return [maybeTimeout(htlc)];
    return isClaiming(state, htlc) ? [] : [maybePreimage(htlc)];
  });
  return neverHeldAnything(state, onClose) ? possible : [...possible, onClose];
}

const isClaiming = ({ preimages }: MonitorState, htlc: CommitmentHtlc): boolean =>
  !htlc.offered && preimages.has(htlc.paymentHash);

function candidate(state: MonitorState): CloseCandidate {
  const { holder } = state;
  const claiming = holder.htlcs.filter(
    (htlc) => htlc.outputIndex !== undefined && isClaiming(state, htlc),
  );
  return {
    amountSat: sat(holder.toLocalSat + total(claiming)),
    transactionFeeSat: feeSat(state),
  };
}

const total = (htlcs: readonly CommitmentHtlc[]): bigint =>
  htlcs.reduce((sum, { amountMsat }) => sum + msatToSatFloor(amountMsat), 0n);

/**
 * LDK 0.1 tells the fee the feerate asks for; 0.2 and later whatever no output has, which includes dust
 * HTLCs, rounded millisatoshis and anchors of a side without an output.
 */
function feeSat({ parameters, holder }: MonitorState): Sat {
  if (!parameters.holderIsOpener) return sat(0);
  const nonDust = holder.htlcs.filter(({ outputIndex }) => outputIndex !== undefined);
  const { channelType } = parameters;
  if (parameters.constantsProfile === "ldk_0_1") {
    return commitmentFeeSat(channelType, holder.feeratePerKw, nonDust.length);
  }
  const outputs = holder.toLocalSat + holder.toRemoteSat + total(nonDust);
  const left = parameters.channelValueSat - outputs;
  return sat(left - anchorsSat(channelType, holder, nonDust.length > 0, left));
}

/** Keyed anchors stand with their side's output or any HTLC; the shared one takes what is left, capped. */
function anchorsSat(
  channelType: ChannelType,
  { toLocalSat, toRemoteSat }: HolderCommitment,
  hasHtlcs: boolean,
  left: bigint,
): bigint {
  const { anchors } = channelTypeRules(channelType);
  switch (anchors) {
    case "none":
      return 0n;
    case "keyed": {
      const sides = [toLocalSat, toRemoteSat].filter((value) => value > 0n || hasHtlcs);
      return ANCHOR_SAT * BigInt(sides.length);
    }
    case "p2a":
      return left < SHARED_ANCHOR_MAX_SAT ? left : SHARED_ANCHOR_MAX_SAT;
    default:
      return assertNever(anchors);
  }
}

/** Of an HTLC with an output the part below a satoshi is lost to fees; of one without, all of it. */
function rounded(htlcs: readonly CommitmentHtlc[]): Msat {
  const lost = htlcs.map(({ amountMsat, outputIndex }) =>
    outputIndex === undefined ? amountMsat : amountMsat % MSAT_PER_SAT,
  );
  return msat(lost.reduce((sum: bigint, amount) => sum + amount, 0n));
}

/** Closed before any update and nothing of it was ours: no balance, so that it can be archived. */
const neverHeldAnything = (state: MonitorState, onClose: ClaimableOnChannelClose): boolean =>
  closedWithoutUpdates(state) && onClose.candidates.every(({ amountSat }) => amountSat === 0n);

/** Neither side has a second commitment, and the channel is over. */
export const closedWithoutUpdates = ({
  lockdown,
  holderBroadcast,
  holder,
  counterparty,
}: MonitorState): boolean =>
  (lockdown || holderBroadcast !== undefined) &&
  holder.commitmentNumber === 0 &&
  counterparty.commitmentNumber === 0;
