/**
 * What the manager told the node, in the order it came, and what became of each. An item that comes
 * again with the same id is the same one: once handled, it is answered again without the user.
 */
import { assert, must } from "@farwatch/protocol/assert";
import type { DoneItem } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { Item, UserEvent } from "@farwatch/protocol/gen/manager/v1/event";
import { HOLD, type Answer, type Policy, type TellingEvent } from "./policy.js";

export interface Told {
  readonly itemId: bigint;
  readonly semanticKey: string;
  readonly event: TellingEvent;
  /** How often it was delivered. */
  readonly deliveries: number;
  /** How often the user was shown it; more than once only if the node forgot or the user did not answer. */
  readonly shown: number;
  /** What the user answered. */
  readonly answer: Answer;
}

export class Inbox {
  /** By item id, in the order of the first delivery. What a test counts: no restart empties it. */
  readonly #told = new Map<bigint, Told>();
  /** The node's memory of what its user is done with. */
  #handled = new Set<bigint>();

  constructor(private readonly policy: () => Policy) {}

  get told(): readonly Told[] {
    return [...this.#told.values()];
  }
  get handled(): ReadonlySet<bigint> {
    return new Set(this.#handled);
  }

  /** A restarted node with what it remembers. */
  remember(handled: ReadonlySet<bigint>): void {
    this.#handled = new Set(handled);
  }

  /** Shows a user event to the user; what goes into Done, if anything. */
  receive({ itemId, semanticKey }: Item, { event }: UserEvent): DoneItem | undefined {
    const known = this.#told.get(itemId);
    assert(known === undefined || known.semanticKey === semanticKey, "an item id names one fact");
    const told: Told = {
      itemId,
      semanticKey,
      event: must(event, "a user event of a known kind"),
      deliveries: (known?.deliveries ?? 0) + 1,
      shown: known?.shown ?? 0,
      answer: known?.answer ?? HOLD,
    };
    this.#told.set(itemId, told);
    return this.#handled.has(itemId) ? doneItem(itemId, told.answer) : this.show(itemId);
  }

  /** Shows an event that was held, again. */
  show(itemId: bigint): DoneItem | undefined {
    const told = must(this.#told.get(itemId), `item ${itemId}`);
    this.#told.set(itemId, { ...told, shown: told.shown + 1 });
    return this.settle(itemId, this.#ask(told.event));
  }

  /** The user's answer, now or later. */
  settle(itemId: bigint, answer: Answer): DoneItem | undefined {
    const told = must(this.#told.get(itemId), `item ${itemId}`);
    this.#told.set(itemId, { ...told, answer });
    if (answer.kind === "hold") return undefined;
    this.#handled.add(itemId);
    return doneItem(itemId, answer);
  }

  /** A user whose handler throws has not handled the event; the node goes on. */
  #ask(event: TellingEvent): Answer {
    try {
      return this.policy().answer(event);
    } catch {
      return HOLD;
    }
  }
}

function doneItem(itemId: bigint, answer: Answer): DoneItem | undefined {
  switch (answer.kind) {
    case "handled":
      return { itemId, answer: { $case: "handled", value: {} } };
    case "retrying":
      return { itemId, answer: { $case: "retrying", value: {} } };
    case "abandon":
      return { itemId, answer: { $case: "abandon", value: { reason: answer.reason } } };
    case "probe": {
      const $case = answer.arrived ? "probeOk" : "probeFailed";
      return { itemId, answer: { $case, value: {} } };
    }
    case "hold":
      return undefined;
  }
}
