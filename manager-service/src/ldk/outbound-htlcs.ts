/**
 * Whether a ChannelMonitor's live commitments carry HTLCs that we sent. Of a closed channel only those can
 * make LDK wait for its monitor (restart rule R7).
 */
import { describeFailure } from "@farwatch/protocol/ldk/cursor";
import { decodeChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { RemoteWatchError } from "./errors.js";

/** Throws RemoteWatchError replicaUnusable on bytes that LDK did not write. */
export function hasOutboundHtlcs(monitor: Uint8Array): boolean {
  const decoded = decodeChannelMonitor(monitor);
  if (!decoded.ok) throw new RemoteWatchError("replicaUnusable", describeFailure(decoded.error));
  const { holderTx, previousHolderTx, counterpartyHtlcs } = decoded.value;
  const { counterpartyCommitmentTxid, previousCounterpartyCommitmentTxid } = decoded.value;
  const live = counterpartyHtlcs.filter(
    ({ commitmentTxid }) =>
      commitmentTxid === counterpartyCommitmentTxid ||
      commitmentTxid === previousCounterpartyCommitmentTxid,
  );
  const lists = [holderTx.htlcs, previousHolderTx?.htlcs ?? [], ...live.map(({ htlcs }) => htlcs)];
  return lists.some((htlcs) => htlcs.some(({ source }) => source !== undefined));
}
