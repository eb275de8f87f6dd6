/**
 * OpenNodeSession: one session per node key, the newest epoch wins. The node's channels are compared
 * with what was *accepted*, in flight included (contract section 1), and with a monitor that has more.
 */
import { updateId, type ChannelId, type Hash32, type UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ManagerView } from "./draft.js";
import type { ManagerInput, NodeChannel } from "./input.js";
import { newestKnown } from "./restart/catch-up.js";
import type { ChannelRow } from "./rows.js";
import { durableId } from "./updates/durability.js";
import { keepCloseCommand } from "./monitor-events/channel-closed.js";
import type { Work } from "./work.js";

export interface ChannelVerdict {
  readonly channelId: ChannelId;
  readonly acceptedId: UpdateId;
  readonly durableId: UpdateId;
  readonly headHash: Hash32 | undefined;
  readonly verdict: "inSync" | "nodeAhead" | "nodeBehind" | "closed" | "unknown";
  readonly behindBy: bigint;
}

/** Errors: fenced, unknownRole (another one than before). The same epoch again gets the same session id. */
export function openSession(
  work: Work,
  input: Extract<ManagerInput, { kind: "sessionOpened" }>,
): Refusal | undefined {
  const { nodeKey, nodeEpoch, role, channels } = input;
  const known = work.draft.session.get(nodeKey);
  if (known !== undefined && nodeEpoch < known.nodeEpoch) {
    return refuse("fenced", `node epoch ${nodeEpoch} is over`, {
      current_epoch: String(known.nodeEpoch),
    });
  }
  if (known !== undefined && known.role !== role) {
    const text = `the node's channels are resolved in role ${known.role}, which never changes`;
    return refuse("unknownRole", text, { role: known.role });
  }
  const sessionId = known?.nodeEpoch === nodeEpoch ? known.sessionId : input.newSessionId;
  const behind: Record<ChannelId, bigint> = {};
  const ahead: Record<ChannelId, bigint> = {};
  for (const found of verdictsOf(work.draft, input)) {
    const { channelId, verdict, acceptedId, behindBy } = found;
    if (verdict === "nodeBehind") behind[channelId] = behindBy;
    if (verdict === "nodeAhead") ahead[channelId] = acceptedId + behindBy;
  }
  work.draft.session.put(nodeKey, { nodeKey, role, nodeEpoch, sessionId, behind, ahead });
  const named = new Set(channels.map(({ channelId }) => channelId));
  for (const row of work.draft.channel.select("node", nodeKey)) {
    keepCloseCommand(work, row.channelId, named.has(row.channelId));
  }
  return undefined;
}

type View = Pick<ManagerView, "channel" | "receipt">;

type Opening = Pick<
  Extract<ManagerInput, { kind: "sessionOpened" }>,
  "nodeKey" | "isLdk" | "channels"
>;

/** On every channel that the node named, and every channel of this node that it did not name. */
export function verdictsOf(view: View, opening: Opening): readonly ChannelVerdict[] {
  const { nodeKey, channels, isLdk = false } = opening;
  const names = new Set<string>(channels.map(({ channelId }) => channelId));
  const unnamed = view.channel.select("node", nodeKey).filter((row) => !names.has(row.channelId));
  return [
    ...channels.map((channel) => verdictOf(view, nodeKey, channel, isLdk)),
    ...unnamed.map((row) => unnamedVerdict(view, row, isLdk)),
  ];
}

/** Verdict on one channel that the node named. */
export function verdictOf(
  view: View,
  nodeKey: string,
  named: NodeChannel,
  isLdk = false,
): ChannelVerdict {
  const channel = view.channel.get(named.channelId);
  if (channel?.nodeKey !== nodeKey) {
    return {
      channelId: named.channelId,
      acceptedId: updateId(0),
      durableId: updateId(0),
      headHash: undefined,
      verdict: "unknown",
      behindBy: 0n,
    };
  }
  const { acceptedId } = channel;
  if (channel.closed !== undefined) return answer(view, channel, "closed", 0n);
  // A monitor that is ahead of us too is ahead of a node that was restored together with us.
  const lag = newestKnown(channel) - named.lastUpdateId;
  if (lag > 0n && signsNothing(channel)) return answer(view, channel, "inSync", 0n);
  if (lag > 0n) return answer(view, channel, "nodeBehind", lag);
  const lead = named.lastUpdateId - acceptedId;
  if (lead > 0n) return answer(view, channel, "nodeAhead", lead);
  const older = isOlder(channel, named, isLdk);
  return answer(view, channel, older ? "nodeBehind" : "inSync", 0n);
}

/**
 * The same update id with older commitments: the node's store was put together from two copies. What speaks
 * for an LDK node may not know the numbers: there 0 says nothing.
 */
function isOlder(channel: ChannelRow, named: NodeChannel, isLdk: boolean): boolean {
  const isBelow = (said: bigint, own: number): boolean =>
    said < BigInt(own) && !(isLdk && said === 0n);
  return (
    isBelow(named.holderNumber, channel.holderNumber) ||
    isBelow(named.counterpartyNumber, channel.counterparty.number) ||
    isBelow(named.revokedCommitments, channel.revokedCommitments)
  );
}

/** A node that goes on from what was accepted can do no harm there: what it sends is revoked already. */
const signsNothing = ({ penaltyOnly }: ChannelRow): boolean => penaltyOnly === true;

/**
 * Verdict on a channel that the node did not name although the manager knows it: a node of ours has lost it. Of
 * an LDK node nothing is known then, and nothing stops it: an update of a lost state meets another one under
 * its id.
 */
export function unnamedVerdict(view: View, channel: ChannelRow, isLdk = false): ChannelVerdict {
  if (channel.closed !== undefined) return answer(view, channel, "closed", 0n);
  if (signsNothing(channel)) return answer(view, channel, "inSync", 0n);
  if (isLdk) return answer(view, channel, "unknown", 0n);
  return answer(view, channel, "nodeBehind", newestKnown(channel) - channel.firstUpdateId + 1n);
}

function answer(
  view: View,
  channel: ChannelRow,
  verdict: ChannelVerdict["verdict"],
  behindBy: bigint,
): ChannelVerdict {
  const { channelId, acceptedId, headHash } = channel;
  const durable = durableId(view, channel) ?? updateId(0);
  return { channelId, acceptedId, durableId: durable, headHash, verdict, behindBy };
}
