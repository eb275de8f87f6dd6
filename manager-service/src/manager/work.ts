/** The scratch pad of one step: a draft over the rows, the effects, and the given time. */
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { ChannelId, PaymentId } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import type { Effect } from "./effect.js";
import {
  META_KEY,
  rowKeys,
  type ChannelRow,
  type Draft,
  type ItemRow,
  type PaymentRow,
} from "./rows.js";
import type { UserEvent } from "./user-event.js";

export interface Work {
  readonly draft: Draft;
  readonly effects: Effect[];
  readonly curve: Curve;
  /** Milliseconds since the epoch; stamped on items for people, decides nothing. */
  readonly nowMs: number;
}

export const channelOf = (work: Work, id: ChannelId): ChannelRow =>
  must(work.draft.channel.get(id), "channel row");

export const paymentOf = (work: Work, id: PaymentId): PaymentRow =>
  must(work.draft.payment.get(id), "payment row");

/** Tells the node a fact once: a second time for the same semantic key changes nothing. */
export function tell(work: Work, nodeKey: string, semanticKey: string, event: UserEvent): void {
  const { draft } = work;
  if (draft.item.select("semantic", semanticKey).length > 0) return;
  const { nextItemId } = draft.meta.get(META_KEY) ?? { nextItemId: 1n };
  const item: ItemRow = {
    itemId: nextItemId,
    nodeKey,
    semanticKey,
    event,
    createdAtMs: work.nowMs,
    handled: false,
  };
  draft.meta.put(META_KEY, { nextItemId: nextItemId + 1n });
  draft.item.put(rowKeys.item(nextItemId), item);
  work.effects.push({ kind: "deliver", item });
}

/** A fact that was told, if any. */
export const toldItem = (work: Work, semanticKey: string): ItemRow | undefined =>
  work.draft.item.select("semantic", semanticKey)[0];

/** Takes back a fact that the node has not handled; it was wrong in the light of a later one. */
export function retract(work: Work, semanticKey: string): void {
  const item = toldItem(work, semanticKey);
  if (item !== undefined && !item.handled) work.draft.item.delete(rowKeys.item(item.itemId));
}
