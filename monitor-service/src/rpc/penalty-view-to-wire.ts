/** GetChannel of a penalty-only channel. What it has no word for keeps its default. */
import { fromHex } from "@farwatch/protocol/bytes";
import { writeBlockPoint, writeOutpoint } from "@farwatch/protocol/convert/channel";
import {
  ClosingState,
  GetChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { SeenCommitment as WireSeen } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { txidToInternal, type Txid } from "@farwatch/protocol/ids";
import type { PenaltyState, SeenCommitment } from "../monitor/penalty/state.js";
import type { PenaltyView } from "../runtime/monitor-host.js";
import { archivalToWire } from "./balance-to-wire.js";

export function penaltyViewToWire(view: PenaltyView): GetChannelResponse {
  const { penalty: state, halted, pendingEventIds } = view;
  const { channel, seen, best } = state;
  const closing = seen.find(({ seenAt }) => seenAt !== undefined);
  return GetChannelResponse.fromPartial({
    channelId: Buffer.from(fromHex(channel.channelId)),
    latestUpdateId: state.latestUpdateId,
    latestUpdateHash: Buffer.from(fromHex(state.latestUpdateHash)),
    closingState: closingState(state),
    closingTxid: closing === undefined ? undefined : txidToWire(closing.commitmentTxid),
    nextEventId: state.nextEventId,
    unackedEventIds: [...pendingEventIds],
    tip: writeBlockPoint(best),
    // A halted channel sees no block: nothing is protected until a person has acted.
    protectedUpTo: halted ? 0 : best.height,
    halted,
    funding: writeOutpoint(state.funding),
    archival: archivalToWire(view, state),
    penaltyOnly: {
      penaltyTransactions: BigInt(state.penaltyCount),
      lookedUpTo: state.lookedUpTo,
      seen: seen.map(seenToWire),
      closed: state.closedAt !== undefined,
    },
  });
}

const txidToWire = (txid: Txid): Buffer => Buffer.from(txidToInternal(txid));

const seenToWire = (seen: SeenCommitment): WireSeen => ({
  commitmentTxid: txidToWire(seen.commitmentTxid),
  commitmentNumber: BigInt(seen.commitmentNumber),
  seenHeight: seen.seenAt?.height,
  penaltyTxids: seen.penalties.map(({ tx }) => txidToWire(tx.txid)),
  spends: seen.spends.map(({ outpoint, txid, block, pays }) => ({
    outpoint: writeOutpoint(outpoint),
    spentBy: txidToWire(txid),
    height: block.height,
    ours: pays !== undefined,
  })),
});

function closingState({ seen, resolvedSince }: PenaltyState): ClosingState {
  if (resolvedSince !== undefined) return ClosingState.RESOLVED;
  return seen.some(({ seenAt }) => seenAt !== undefined)
    ? ClosingState.SPEND_SEEN
    : ClosingState.OPEN;
}
