/**
 * Which outbound HTLCs a counterparty commitment carries, and the payment parts that begin with it. A
 * part exists from the accepted commitment that names its source (contract section 1, "Payments").
 */
import type { CommitmentHtlc, CounterpartyCommitment } from "@farwatch/protocol/channel";
import type { ChannelId, SourceKey } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ChannelRow, CounterpartyView, InboundRef, OutboundRef } from "../rows.js";
import type { Work } from "../work.js";
import { addPart, checkNewPart } from "../payments/parts.js";

const outboundRef = ({ source, paymentHash }: CommitmentHtlc): readonly OutboundRef[] =>
  source === undefined ? [] : [{ sourceKey: source.sourceKey, paymentHash }];

/** An inbound HTLC is offered by the counterparty, whose commitment this is (contract 2.26). */
const inboundRef = (htlc: CommitmentHtlc): readonly InboundRef[] => {
  const { htlcId, paymentHash, amountMsat, cltvExpiry } = htlc;
  return htlc.offered ? [{ htlcId, paymentHash, amountMsat, cltvExpiry }] : [];
};

export const viewOf = (commitment: CounterpartyCommitment): CounterpartyView => ({
  number: commitment.commitmentNumber,
  point: commitment.perCommitmentPoint,
  outbound: commitment.htlcs.flatMap(outboundRef),
  inbound: commitment.htlcs.flatMap(inboundRef),
});

/** Found in a counterparty commitment that is not revoked. */
export function findOutbound(channel: ChannelRow, key: SourceKey): OutboundRef | undefined {
  const views = [channel.counterparty, channel.counterpartyPrevious];
  return views
    .flatMap((view) => view?.outbound ?? [])
    .find((outbound) => outbound.sourceKey === key);
}

/** Errors: unimplemented (a source that is not an own payment), malformed (see checkNewPart). */
export function takeOutbound(
  work: Work,
  nodeKey: string,
  channelId: ChannelId,
  htlcs: readonly CommitmentHtlc[],
  known: readonly OutboundRef[],
): Refusal | undefined {
  const seen = new Set(known.map(({ sourceKey }) => sourceKey));
  for (const htlc of htlcs) {
    const { source } = htlc;
    if (source === undefined || seen.has(source.sourceKey)) continue;
    if (source.origin.kind !== "own") {
      return refuse(
        "unimplemented",
        `HTLCs with a ${source.origin.kind} source are not supported`,
        {
          field: "htlcs.source",
          htlc_id: String(htlc.htlcId),
        },
      );
    }
    const part = {
      sourceKey: source.sourceKey,
      source: source.origin.part,
      channelId,
      nodeKey,
      paymentHash: htlc.paymentHash,
      amountMsat: htlc.amountMsat,
    };
    const refusal = checkNewPart(work, part);
    if (refusal !== undefined) return refusal;
    addPart(work, part);
  }
  return undefined;
}
