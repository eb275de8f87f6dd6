/** GetChannel: what this monitor knows about one channel. Hashes of preimages, never preimages. */
import { fromHex } from "@farwatch/protocol/bytes";
import { writeBlockPoint, writeOutpoint } from "@farwatch/protocol/convert/channel";
import { writeSpend } from "@farwatch/protocol/convert/spendable";
import { ClosingState } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type {
  FundingSpend as WireSpend,
  GetChannelRequest,
  GetChannelResponse,
  UnresolvedHtlc,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { txidToInternal, type SourceKey } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import { minSeenIndex, NO_INDEX_SEEN } from "../bolt/per-commitment-secrets.js";
import { wantsHolderCommitment } from "../monitor/chain/holder-broadcast.js";
import { isClosing, liveHtlcs } from "../monitor/htlcs.js";
import { totalClaimableSat } from "../monitor/balances/balance.js";
import { claimableBalances } from "../monitor/balances/claimable-balances.js";
import type { FundingSpend, MonitorState } from "../monitor/state.js";
import type { AnyView, ChannelView } from "../runtime/monitor-host.js";
import type { Run } from "./call.js";
import { archivalToWire, balanceToWire } from "./balance-to-wire.js";
import { bumpToWire, claimToWire } from "./claim-to-wire.js";
import { readChannelId } from "./channel-id.js";
import { penaltyViewToWire } from "./penalty-view-to-wire.js";

export const getChannel: Run<GetChannelRequest, GetChannelResponse> = async (
  { host, who },
  { channelId },
) => {
  const id = readChannelId(channelId, "channel_id");
  if (!id.ok) return id;
  const found = await host.anyChannel(who, id.value);
  return found.ok ? ok(anyViewToWire(found.value)) : found;
};

export const anyViewToWire = (view: AnyView): GetChannelResponse =>
  "penalty" in view ? penaltyViewToWire(view) : viewToWire(view);

function viewToWire(view: ChannelView): GetChannelResponse {
  const { state } = view;
  const { parameters, spend } = state;
  const balances = claimableBalances(state);
  return {
    channelId: Buffer.from(fromHex(parameters.channelId)),
    latestUpdateId: state.latestUpdateId,
    latestUpdateHash: Buffer.from(fromHex(state.latestUpdateHash)),
    holderCommitmentNumber: BigInt(state.holder.commitmentNumber),
    counterpartyCommitmentNumber: BigInt(state.counterparty.commitmentNumber),
    revokedCommitments: NO_INDEX_SEEN - minSeenIndex(state.secrets),
    closingState: closingState(state),
    closingTxid: spend === undefined ? undefined : Buffer.from(txidToInternal(spend.txid)),
    preimagesKnown: [...state.preimages.keys()].map((hash) => Buffer.from(fromHex(hash))),
    unresolvedOutboundHtlcs: unresolved(state),
    nextEventId: state.nextEventId,
    unackedEventIds: view.pendingEventIds,
    tip: writeBlockPoint(state.best),
    // A halted channel sees no block: nothing is protected until a person has acted.
    protectedUpTo: view.halted ? 0 : state.best.height,
    halted: view.halted,
    staleSuspected: state.staleSuspected,
    funding: writeOutpoint(parameters.funding),
    fundingConfirmed: state.fundingConfirmedAt !== undefined,
    openClaims: view.openClaims.map(claimToWire),
    openBumps: view.openBumps.map(bumpToWire),
    balances: balances.map(balanceToWire),
    claimableSat: totalClaimableSat(balances),
    archival: archivalToWire(view, state),
    fundingSpend: spend === undefined ? undefined : spendToWire(spend),
    pendingFundings: state.pendingFundings.map(({ parameters: pending }) => ({
      funding: writeOutpoint(pending.funding),
      valueSat: pending.channelValueSat,
      confirmed: pending.funding.txid === state.alternativeFunding?.txid,
    })),
    neverFunded: state.neverFundedAt !== undefined,
    ownOutputs: view.ownOutputs.map((own) => ({
      outpoint: writeOutpoint(own.outpoint),
      kind: own.kind,
      valueSat: own.valueSat,
      matureAt: own.matureAt,
      sweptBy: own.sweptBy === undefined ? undefined : Buffer.from(txidToInternal(own.sweptBy)),
      spentBy: own.spend === undefined ? undefined : Buffer.from(txidToInternal(own.spend.txid)),
      spentHeight: own.spend?.height,
    })),
    penaltyOnly: undefined,
  };
}

const spendToWire = ({ kind, block, commitmentNumber, funding }: FundingSpend): WireSpend => ({
  kind: writeSpend(kind),
  block: writeBlockPoint(block),
  commitmentNumber: commitmentNumber === undefined ? undefined : BigInt(commitmentNumber),
  funding: writeOutpoint(funding),
});

function closingState(state: MonitorState): ClosingState {
  const { spend, tracked, waiting, claims } = state;
  if (spend === undefined) {
    if (wantsHolderCommitment(state)) return ClosingState.HOLDER_BROADCAST;
    return isClosing(state) ? ClosingState.HELD : ClosingState.OPEN;
  }
  if (!spend.final) return ClosingState.SPEND_SEEN;
  const open = tracked.length + waiting.length + claims.length;
  return open > 0 ? ClosingState.SPEND_FINAL : ClosingState.RESOLVED;
}

/** Outbound HTLCs in a commitment that may still confirm, without any outcome told yet. */
function unresolved(state: MonitorState): readonly UnresolvedHtlc[] {
  const bySource = new Map<SourceKey, UnresolvedHtlc>();
  for (const { htlc, outbound } of liveHtlcs(state)) {
    if (!outbound || htlc.source === undefined) continue;
    const { sourceKey } = htlc.source;
    const told = state.reported.get(sourceKey);
    if (told?.failed === true || told?.claimedOffChain === true || told?.claimedOnChain === true) {
      continue;
    }
    bySource.set(sourceKey, {
      sourceKey: Buffer.from(fromHex(sourceKey)),
      paymentHash: Buffer.from(fromHex(htlc.paymentHash)),
      htlcId: htlc.htlcId,
      amountMsat: htlc.amountMsat,
      cltvExpiry: htlc.cltvExpiry,
    });
  }
  return [...bySource.values()];
}
