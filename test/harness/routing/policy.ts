/** How the node's user answers what the manager tells: a test says so, per event. */
import type { NodeCommand, UserEvent } from "@farwatch/protocol/gen/manager/v1/event";

export type TellingEvent = NonNullable<UserEvent["event"]>;
export type EventOf<C extends TellingEvent["$case"]> = Extract<TellingEvent, { readonly $case: C }>;
export type Command = NonNullable<NodeCommand["command"]>;

export type Answer =
  | { readonly kind: "handled" }
  /** Not yet: `finish` answers it later, or nobody does. */
  | { readonly kind: "hold" }
  /** To PaymentPathFailed. */
  | { readonly kind: "retrying" }
  | { readonly kind: "abandon"; readonly reason: string }
  /** To ProbeResult, after a look at its reason. */
  | { readonly kind: "probe"; readonly arrived: boolean };

export interface Policy {
  /** May throw: then the node keeps running and the event is not answered. */
  answer(event: TellingEvent): Answer;
  /** False: the command is left unanswered and nothing is done. */
  obeys(command: Command): boolean;
}

export const HANDLED: Answer = { kind: "handled" };
export const HOLD: Answer = { kind: "hold" };
export const GIVE_UP: Answer = { kind: "abandon", reason: "no route left" };

/** Handles everything, gives payments up at their first failure, takes probes as arrived, obeys. */
export const plainPolicy: Policy = {
  answer({ $case }) {
    if ($case === "probeResult") return { kind: "probe", arrived: true };
    return $case === "paymentPathFailed" ? GIVE_UP : HANDLED;
  },
  obeys: () => true,
};
