/** One step under way: the draft it writes, the effects it asks for, and who must be told. */
import { must } from "@farwatch/protocol/assert";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { Draft } from "./draft.js";
import type { Effect } from "./effect.js";
import type { Context } from "./input.js";
import { FIRST_META, META_KEY, rowKeys, type ChannelRow, type MetaRow, type Role } from "./rows.js";
import { semanticKeys, type ItemContent } from "./user-event.js";

export interface Work {
  readonly draft: Draft;
  readonly context: Context;
  readonly effects: Effect[];
  /** Channels whose completion or held events this step may have changed. */
  readonly touched: Set<ChannelId>;
  /** Forwards whose outcome, or what their acks wait for, this step may have changed. */
  readonly forwards: Set<string>;
  /** Inbound HTLCs that this step changed. */
  readonly inbounds: Set<string>;
  /** Semantic keys of items taken back by this step: acks that waited for them may go. */
  readonly withdrawn: Set<string>;
}

/** What a refused input still writes, into a fresh draft. */
export type Keep = (work: Work) => void;

export const metaOf = (work: Work): MetaRow => work.draft.meta.get(META_KEY) ?? FIRST_META;

/**
 * Tells the node a fact once: an item that exists, handled or not, is not told again. Effects: a new
 * item row and its delivery.
 */
export function tell(work: Work, nodeKey: string, semanticKey: string, event: ItemContent): void {
  if (!isToldTo(roleOf(work, nodeKey), event)) return;
  const told = work.draft.item.select("semantic", semanticKey);
  if (told.some((item) => item.nodeKey === nodeKey)) return;
  const meta = metaOf(work);
  const itemId = meta.nextItemId;
  work.draft.meta.put(META_KEY, { ...meta, nextItemId: itemId + 1n });
  const createdAtMs = work.context.nowMs;
  const item = { itemId, nodeKey, semanticKey, event, createdAtMs, handled: false };
  work.draft.item.put(rowKeys.item(itemId), item);
  work.effects.push({ kind: "deliver", item });
}

/** Role MANAGER_RESOLVES when the node never opened a session. */
export const roleOf = (work: Work, nodeKey: string): Role =>
  work.draft.session.get(nodeKey)?.role ?? "managerResolves";

/** The other roles resolve by themselves: they are told what they cannot know (contract section 1). */
function isToldTo(role: Role, { kind }: ItemContent): boolean {
  if (role === "managerResolves") return kind !== "monitorEvent";
  return kind === "monitorEvent" || kind === "spendableOutputs" || kind === "alarm";
}

/** Takes back what the node has not handled yet, because a later fact made it wrong. */
export function withdraw(work: Work, semanticKey: string): "withdrawn" | "handled" | "never told" {
  const [item] = work.draft.item.select("semantic", semanticKey);
  if (item === undefined) return "never told";
  if (item.handled) return "handled";
  work.draft.item.delete(rowKeys.item(item.itemId));
  work.withdrawn.add(semanticKey);
  const at = work.effects.findIndex(
    (effect) => effect.kind === "deliver" && effect.item.itemId === item.itemId,
  );
  if (at >= 0) work.effects.splice(at, 1);
  return "withdrawn";
}

/** A person must look. Told once per code and subject until it is handled. */
export function alarm(
  work: Work,
  nodeKey: string,
  code: string,
  about: string,
  text: string,
  channelId?: ChannelId,
): void {
  const event = { kind: "alarm", code, text, channelId } as const;
  tell(work, nodeKey, semanticKeys.alarm(code, about), event);
}

export const channelOf = (work: Work, channelId: ChannelId): ChannelRow =>
  must(work.draft.channel.get(channelId), "channel row");

export function changeChannel(
  work: Work,
  channelId: ChannelId,
  change: Partial<ChannelRow>,
): ChannelRow {
  const row = { ...channelOf(work, channelId), ...change };
  work.draft.channel.put(channelId, row);
  return row;
}
