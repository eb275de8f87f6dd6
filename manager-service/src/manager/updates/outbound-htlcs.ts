/**
 * Which outbound HTLCs a counterparty commitment carries, and the payment parts that begin with it. A
 * part exists from the accepted commitment that names its source (contract section 1, "Payments").
 */
import type {
  CommitmentHtlc,
  CounterpartyCommitment,
  HtlcSource,
} from "@farwatch/protocol/channel";
import type { ChannelId, SourceKey } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ChannelRow, CounterpartyView, InboundRef, OutboundRef } from "../rows.js";
import { addLeg, checkDuplicate, checkLeg, checkOwner, legOf } from "../forwards/accept-leg.js";
import { alarm, roleOf, type Work } from "../work.js";
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

/** The channel whose commitment it is. */
export interface Where {
  readonly nodeKey: string;
  readonly channelId: ChannelId;
  readonly userChannelId: Uint8Array | undefined;
  /** As it is first watched: the inbound channels of its HTLCs may be watched later. */
  readonly isFirst: boolean;
  readonly dialect: ChannelRow["dialect"];
}

/**
 * Errors: malformed (see checkNewPart), duplicateForward, channelUnknown, notYourChannel.
 */
export function takeOutbound(
  work: Work,
  where: Where,
  htlcs: readonly CommitmentHtlc[],
  known: readonly OutboundRef[],
): Refusal | undefined {
  const { nodeKey, channelId } = where;
  const seen = new Set(known.map(({ sourceKey }) => sourceKey));
  for (const htlc of htlcs) {
    const { source } = htlc;
    if (source === undefined || seen.has(source.sourceKey)) continue;
    const refusal = takeOne(work, where, htlc, source);
    if (refusal === undefined) continue;
    if (roleOf(work, nodeKey) === "managerResolves") return refusal;
    // The node resolves by itself: it is not stopped, a person is told (contract 2.15).
    alarm(work, nodeKey, refusal.reason, source.sourceKey, refusal.message, channelId);
  }
  return undefined;
}

function takeOne(
  work: Work,
  where: Where,
  htlc: CommitmentHtlc,
  source: HtlcSource,
): Refusal | undefined {
  const { nodeKey, channelId, userChannelId, isFirst, dialect } = where;
  const isLdk = dialect === "ldk";
  const { paymentHash, amountMsat } = htlc;
  const named = { nodeKey, channelId, paymentHash, amountMsat };
  const htlcId = isLdk ? undefined : htlc.htlcId;
  const leg = legOf({ ...named, htlcId, userChannelId }, source);
  if (leg !== undefined) {
    // LDK forwards what is committed; it may have inbound channels that are watched elsewhere.
    const refusal =
      isFirst || isLdk ? (checkOwner(work, leg) ?? checkDuplicate(work, leg)) : checkLeg(work, leg);
    if (refusal === undefined) addLeg(work, leg);
    return refusal;
  }
  const { origin, sourceKey } = source;
  if (origin.kind !== "own" && origin.kind !== "probe") {
    return refuse("malformed", "a trampoline names no inbound HTLC", { field: "htlcs.source" });
  }
  const isProbe = origin.kind === "probe";
  const part = { sourceKey, source: origin.part, ...named, isProbe };
  const refusal = checkNewPart(work, part);
  if (refusal === undefined) addPart(work, part);
  return refusal;
}
