/**
 * WatchChannel: the first state of a channel is stored before any monitor sees it. The same bytes again
 * are answered again; other bytes for a known channel are refused (`alreadyWatched`).
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import { penaltyOnlyFunding } from "@farwatch/protocol/convert/penalty-only";
import {
  encodeInitialState,
  hashInitialState,
  type InitialStateHeader,
} from "@farwatch/protocol/envelope/initial-state";
import { digestPayload, genesisHash } from "@farwatch/protocol/envelope/update";
import { updateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ManagerInput } from "../input.js";
import {
  META_KEY,
  rowKeys,
  type ChannelRow,
  type CounterpartyView,
  type WatchRow,
} from "../rows.js";
import { metaOf, roleOf, type Work } from "../work.js";
import { takeOutbound, viewOf } from "./outbound-htlcs.js";

type Offered = Extract<ManagerInput, { kind: "watchOffered" }>;
type PenaltyOffered = Extract<ManagerInput, { kind: "penaltyWatchOffered" }>;
type AnyOffered = Pick<
  Offered,
  "nodeKey" | "firstUpdateId" | "payload" | "requiredMonitors" | "setNo" | "ldkMonitorHash"
>;

/** What a first state of either kind says of its channel. */
type Beginning = Pick<
  ChannelRow,
  "channelId" | "chainHash" | "funding" | "userChannelId" | "spliceTxids" | "holderNumber"
> &
  Pick<ChannelRow, "counterparty" | "counterpartyPrevious" | "revokedCommitments" | "penaltyOnly">;

/**
 * Errors: otherNetwork, rangeExceeded, unknownRole (LDK's monitor), notYourChannel, alreadyWatched,
 * duplicateForward, malformed.
 */
export function acceptWatch(work: Work, offered: Offered): Refusal | undefined {
  const { parameters } = offered.initial;
  const { channelId, chainHash } = parameters;
  const unfit = checkBeginning(work, chainHash, offered);
  if (unfit !== undefined) return unfit;
  const role = roleOf(work, offered.nodeKey);
  if (offered.ldkMonitorHash !== undefined && role !== "nodeResolves") {
    return refuse("unknownRole", "LDK's monitors come from a node in role NODE_RESOLVES", { role });
  }
  const known = work.draft.channel.get(channelId);
  if (known !== undefined) return placeKnown(work, offered, known);
  const { counterpartyCommitment: current, earlier } = offered.initial;
  const { nodeKey } = offered;
  const { userChannelId } = parameters;
  const dialect = dialectOf(offered);
  const where = { nodeKey, channelId, userChannelId, isFirst: true, dialect };
  const before = earlier?.previousCounterparty?.commitment.htlcs ?? [];
  const refusal =
    takeOutbound(work, where, current.htlcs, []) ??
    takeOutbound(work, where, before, viewOf(current).outbound);
  if (refusal === undefined) start(work, offered, beginningOf(offered));
  return refusal;
}

/** Errors: otherNetwork, rangeExceeded, notYourChannel, alreadyWatched. */
export function acceptPenaltyWatch(work: Work, offered: PenaltyOffered): Refusal | undefined {
  const { channelId, chainHash } = offered.channel;
  const unfit = checkBeginning(work, chainHash, offered);
  if (unfit !== undefined) return unfit;
  const known = work.draft.channel.get(channelId);
  if (known !== undefined) return placeKnown(work, offered, known);
  start(work, offered, {
    channelId,
    chainHash,
    funding: penaltyOnlyFunding(channelId),
    userChannelId: undefined,
    spliceTxids: [],
    holderNumber: 0,
    counterparty: NO_COMMITMENT,
    counterpartyPrevious: undefined,
    revokedCommitments: 0,
    penaltyOnly: true,
  });
  return undefined;
}

/** Of a channel whose commitments nobody tells: monitors say 0 too, so a comparison finds nothing. */
const NO_COMMITMENT: CounterpartyView = {
  number: 0,
  point: new Uint8Array(),
  outbound: [],
  inbound: [],
};

function checkBeginning(
  work: Work,
  chainHash: string,
  { firstUpdateId }: AnyOffered,
): Refusal | undefined {
  if (chainHash !== work.context.chainHash) {
    return refuse("otherNetwork", "the channel is on another network", { chain_hash: chainHash });
  }
  if (firstUpdateId > 0n) return undefined;
  return refuse("rangeExceeded", "first_update_id starts at 1", { field: "first_update_id" });
}

/** A channel that was in use may wait for the secret of the commitment before. */
function beginningOf({ initial }: Offered): Beginning {
  const { parameters, counterpartyCommitment: current, earlier } = initial;
  const { channelId, chainHash, funding, userChannelId } = parameters;
  const previous = earlier?.previousCounterparty?.commitment;
  return {
    channelId,
    chainHash,
    funding,
    userChannelId,
    spliceTxids: initial.pendingFundings.map((pending) => pending.parameters.funding.txid),
    holderNumber: initial.holderCommitment.commitmentNumber,
    counterparty: viewOf(current),
    counterpartyPrevious: previous === undefined ? undefined : viewOf(previous),
    revokedCommitments: (previous ?? current).commitmentNumber,
  };
}

function placeKnown(work: Work, offered: AnyOffered, known: ChannelRow): Refusal | undefined {
  const { channelId } = known;
  if (known.nodeKey !== offered.nodeKey) {
    return refuse("notYourChannel", "the channel belongs to another node", {
      channel_id: channelId,
    });
  }
  const watch = work.draft.watch.get(channelId);
  const same =
    watch !== undefined &&
    watch.firstUpdateId === offered.firstUpdateId &&
    isSameState(watch, offered);
  if (same) return undefined;
  return refuse("alreadyWatched", "watched with another first state", { channel_id: channelId });
}

const dialectOf = ({ ldkMonitorHash }: AnyOffered): ChannelRow["dialect"] =>
  ldkMonitorHash === undefined ? undefined : "ldk";

/** Of LDK's bytes those bytes count: a newer build may make another state of them. */
const isSameState = (watch: WatchRow, { ldkMonitorHash, payload }: AnyOffered): boolean =>
  ldkMonitorHash === undefined && watch.ldkMonitorHash === undefined
    ? equalBytes(watch.payload, payload)
    : watch.ldkMonitorHash === ldkMonitorHash;

function start(work: Work, offered: AnyOffered, beginning: Beginning): void {
  const { channelId, chainHash, funding } = beginning;
  const { nodeKey, firstUpdateId, payload, requiredMonitors, setNo, ldkMonitorHash } = offered;
  const digest = digestPayload(payload);
  const header: InitialStateHeader = {
    chainHash,
    channelId,
    funding,
    managerKey: work.context.managerKey,
    setNo,
    firstUpdateId,
    ...digest,
  };
  const bytes = encodeInitialState(header);
  const initialStateSha256 = digest.payloadSha256;
  const genesis = genesisHash({ chainHash, channelId, funding, initialStateSha256 });
  const watchHash = hashInitialState(bytes);
  const names = { channelId, firstUpdateId, watchHash, ldkMonitorHash };
  const watch: WatchRow = { ...names, header: bytes, payload };
  const meta = metaOf(work);
  work.draft.meta.put(META_KEY, { ...meta, nextChannelNo: meta.nextChannelNo + 1 });
  const channel: ChannelRow = {
    ...beginning,
    channelNo: meta.nextChannelNo,
    nodeKey,
    role: roleOf(work, nodeKey),
    dialect: dialectOf(offered),
    requiredMonitors,
    setNo,
    firstUpdateId,
    genesisHash: genesis,
    acceptedId: updateId(firstUpdateId - 1n),
    headHash: genesis,
    lockedDown: false,
    completed: undefined,
    frozen: undefined,
    closed: undefined,
  };
  work.draft.watch.put(channelId, watch);
  work.draft.channel.put(channelId, channel);
  work.effects.push({ kind: "sendWatch", channel, watch });
  // Learnt of a forward before its inbound channel was watched.
  for (const record of work.draft.preimage.select("channel", channelId)) {
    work.effects.push({ kind: "sendPreimage", channel, record });
  }
  work.touched.add(channelId);
  // Named by forwards before their inbound channel was watched: some may be gone already.
  for (const row of work.draft.inbound.select("owned", channelId)) {
    work.inbounds.add(rowKeys.inbound(row));
  }
}
