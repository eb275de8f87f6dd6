/** Everything that can happen to a penalty-only channel, and what a step asks for. */
import type { BlockPoint } from "@farwatch/protocol/block";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import type { Hash32, UpdateId } from "@farwatch/protocol/ids";
import type { PenaltyTransactionStep, UpdateStep } from "@farwatch/protocol/update";
import type { ParsedTx } from "../../tx/parsed-tx.js";
import type { PenaltyState } from "./state.js";

export type PenaltyInput =
  | {
      readonly kind: "updateReceived";
      /** The shell has checked that it is next (proto/src/update-cursor.ts). */
      readonly updateId: UpdateId;
      readonly updateHash: Hash32;
      readonly steps: readonly UpdateStep[];
    }
  | {
      readonly kind: "blockConnected";
      readonly block: BlockPoint;
      /** Held, of commitments in this block; the newest update first. */
      readonly found: readonly PenaltyTransactionStep[];
      /** Of this block, in order, that spend what seen or found commitments made. */
      readonly transactions: readonly ParsedTx[];
    }
  /** The chain now ends at forkPoint. Forgets, never emits (R6). */
  | { readonly kind: "blocksDisconnected"; readonly forkPoint: BlockPoint }
  /** What updates above `lookedUpTo` brought for commitments that are in the chain already. */
  | {
      readonly kind: "lookedUp";
      readonly upTo: UpdateId;
      readonly found: readonly {
        readonly updateId: UpdateId;
        readonly penalty: PenaltyTransactionStep;
      }[];
    }
  /** After a block: the shell alone knows what was acked. */
  | { readonly kind: "resolutionChecked"; readonly unackedEvents: boolean };

export interface PenaltyTransition {
  readonly state: PenaltyState;
  readonly events: readonly NewMonitorEvent[];
  /** False when only the best block moved, or nothing was found in a look-up. */
  readonly persist: boolean;
  /** For updates: a commitment was seen before it. */
  readonly afterClose: boolean;
}
