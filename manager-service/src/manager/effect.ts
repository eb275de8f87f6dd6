/**
 * Volatile effects of a decision, run in this order after its commit. All follow from rows, so a restart
 * produces them again: in-flight updates from receipts, items from un-handled rows, acks from intents.
 */
import type { ChannelId, Hash32, UpdateId } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type {
  AckRow,
  ChannelRow,
  Completion,
  ItemRow,
  PreimageRow,
  UpdateRow,
  WatchRow,
} from "./rows.js";
import type { Change } from "./tables.js";

export type Effect =
  | { readonly kind: "sendWatch"; readonly channel: ChannelRow; readonly watch: WatchRow }
  | { readonly kind: "sendUpdate"; readonly channel: ChannelRow; readonly update: UpdateRow }
  | { readonly kind: "deliver"; readonly item: ItemRow }
  | {
      readonly kind: "accepted";
      readonly nodeKey: string;
      readonly channelId: ChannelId;
      readonly updateId: UpdateId;
      readonly updateHash: Hash32;
    }
  | {
      readonly kind: "completed";
      readonly nodeKey: string;
      readonly channelId: ChannelId;
      readonly completion: Completion;
    }
  | {
      readonly kind: "refused";
      readonly nodeKey: string;
      readonly channelId: ChannelId;
      readonly updateId: UpdateId;
      readonly refusal: Refusal;
    }
  /** To every required monitor that does not have it yet. */
  | { readonly kind: "sendPreimage"; readonly channel: ChannelRow; readonly record: PreimageRow }
  | { readonly kind: "sendAck"; readonly ack: AckRow };

/** What one input leads to: rows first, in one transaction, then effects. */
export interface Decision {
  readonly changes: readonly Change[];
  readonly effects: readonly Effect[];
  /**
   * The input was refused, yet something had to be kept: a conflict freezes its channel, a preimage in
   * a refused update is stored (contract 2.12).
   */
  readonly refusal: Refusal | undefined;
}
