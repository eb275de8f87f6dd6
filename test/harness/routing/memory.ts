/**
 * What a node keeps over a restart, so that a test can start it with an older copy or without any. The
 * channel engine is shared with the peers and never goes back: a node that forgot its newest states says
 * so in its session, is told NODE_BEHIND, and may not touch the channel.
 */
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import {
  Verdict,
  type NodeChannel,
  type OpenNodeSessionResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, htlcId, type HtlcId } from "@farwatch/protocol/ids";
import type { InboundRemoval, Link } from "./link.js";
import { inboundKey } from "./outgoing.js";

export interface NodeMemory {
  readonly cursors: readonly NodeChannel[];
  /** Inbound HTLCs it has forwarded or answered. */
  readonly decided: ReadonlySet<string>;
  /** Holding cells, by channel name. */
  readonly held: ReadonlyMap<string, ReadonlyMap<HtlcId, InboundRemoval>>;
  /** Items whose events its user is done with. */
  readonly handled: ReadonlySet<bigint>;
}

export const memoryOf = (
  links: Iterable<Link>,
  decided: ReadonlySet<string>,
  handled: ReadonlySet<bigint>,
): NodeMemory => {
  const all = [...links];
  return {
    cursors: all.map((link) => link.cursor()),
    decided: new Set(decided),
    held: new Map(all.map(({ name, held }) => [name, new Map(held)])),
    handled,
  };
};

/** It knows its channels as they are, but not what it forwarded, owed or handled. */
export const forgetful = ({ cursors }: NodeMemory): NodeMemory => ({ ...NOTHING, cursors });

/** It knows nothing at all. */
export const NOTHING: NodeMemory = {
  cursors: [],
  decided: new Set(),
  held: new Map(),
  handled: new Set(),
};

/**
 * What the links are after a restart with this memory and this answer of the manager. Gives the inbound
 * HTLCs that the manager owns: they are decided, whatever the node remembers (contract 2.15).
 */
export function recall(
  memory: NodeMemory,
  links: Iterable<Link>,
  { channels, ownedInbound }: OpenNodeSessionResponse,
): readonly string[] {
  const verdicts = new Map(channels.map(({ channelId, verdict }) => [toHex(channelId), verdict]));
  for (const link of links) {
    const verdict = verdicts.get(link.channelId);
    link.isBehind = verdict === Verdict.NODE_BEHIND;
    if (verdict === Verdict.CLOSED) link.isClosed = true;
    const held = memory.held.get(link.name);
    if (held === undefined) link.forgetRemovals();
    else link.holdOnly(held);
  }
  return ownedInbound.map(({ channelId: id, htlcId: inbound }) =>
    inboundKey({
      channelId: channelId(toHex(id)),
      htlcId: htlcId(must(inbound, "the id of an inbound HTLC")),
    }),
  );
}
