/**
 * HTLCs of a commitment that the counterparty has revoked, out of LDK's monitor, which keeps those of every
 * one but says no more where the outbound ones came from.
 */
import type { CommitmentHtlc } from "../../channel.js";
import { readWith } from "../../convert/reader.js";
import type { Txid } from "../../ids.js";
import type { SourcedHtlc } from "../commitment.js";
import { decodeChannelMonitor } from "../monitor.js";
import { toHtlcsWithoutSources } from "./commitment.js";

/** undefined: the monitor does not know the commitment. */
export function htlcsOfRevoked(
  ldkMonitor: Uint8Array,
  commitmentTxid: Txid,
): readonly CommitmentHtlc[] | undefined {
  const decoded = decodeChannelMonitor(ldkMonitor);
  if (!decoded.ok) return undefined;
  const { counterpartyHtlcs, trailer } = decoded.value;
  const onLocked = counterpartyHtlcs.find((each) => each.commitmentTxid === commitmentTxid)?.htlcs;
  const onPending = (trailer.pendingFunding ?? [])
    .flatMap((scope) => scope.counterpartyHtlcs)
    .find(({ key }) => key === commitmentTxid)?.value;
  const found: readonly SourcedHtlc[] | undefined = onLocked ?? onPending;
  if (found === undefined) return undefined;
  const htlcs = readWith(() =>
    toHtlcsWithoutSources(
      found.map(({ htlc }) => htlc),
      "counterparty",
    ),
  );
  return htlcs.ok ? htlcs.value : undefined;
}
