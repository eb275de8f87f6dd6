/**
 * A commitment that was revoked before LDK's monitor was imported: only that monitor knows its HTLCs. One
 * that a commitment of today still has is the same HTLC, so that it is not held to be absent there; LDK
 * matches them by hash and amount too (`fail_unbroadcast_htlcs`).
 */
import type { CommitmentHtlc } from "@farwatch/protocol/channel";
import type { Txid } from "@farwatch/protocol/ids";
import { htlcsOfRevoked } from "@farwatch/protocol/ldk/convert/revoked-htlcs";
import { liveHtlcs } from "./htlcs.js";
import type { StoredCommitment } from "./input.js";
import type { MonitorState } from "./state.js";

/** undefined: it is none of this channel's. */
export function revokedBeforeImport(
  state: MonitorState,
  ldkMonitor: Uint8Array,
  txid: Txid,
): StoredCommitment | undefined {
  const htlcs = htlcsOfRevoked(ldkMonitor, txid);
  return htlcs === undefined ? undefined : { txid, htlcs: withLiveNames(state, htlcs) };
}

function withLiveNames(
  state: MonitorState,
  htlcs: readonly CommitmentHtlc[],
): readonly CommitmentHtlc[] {
  const bySource = new Map(
    [...liveHtlcs(state)].flatMap(({ htlc }) =>
      htlc.source === undefined ? [] : [[htlc.source.sourceKey, htlc] as const],
    ),
  );
  const left = [...bySource.values()];
  return htlcs.map((htlc) => {
    if (htlc.offered) return htlc;
    const at = left.findIndex((live) => isSame(live, htlc));
    const [live] = at < 0 ? [] : left.splice(at, 1);
    return live === undefined ? htlc : { ...htlc, htlcId: live.htlcId, source: live.source };
  });
}

const isSame = (a: CommitmentHtlc, b: CommitmentHtlc): boolean =>
  a.paymentHash === b.paymentHash && a.amountMsat === b.amountMsat && a.cltvExpiry === b.cltvExpiry;
