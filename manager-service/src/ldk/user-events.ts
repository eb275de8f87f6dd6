/**
 * What a node's wallet must do: SpendableOutputs and DiscardFunding until they are done, bump requests as long
 * as they are open (contract 2.19: the newest of a claim replaces the older ones). Given to the caller one by
 * one, as LDK's events, in the order they came; what its handler did not manage is given again at the next
 * call.
 */
import { claimIdOf, type BumpItem } from "@farwatch/protocol/bump";
import { toHex } from "@farwatch/protocol/bytes";
import { bumpItemFromWire } from "@farwatch/protocol/convert/bump";
import { readSpendable } from "@farwatch/protocol/convert/spendable";
import { readWith } from "@farwatch/protocol/convert/reader";
import type { BumpTransaction } from "@farwatch/protocol/gen/manager/v1/event";
import type { SpendableOutputs } from "@farwatch/protocol/gen/monitor/v1/event";
import { channelId, type ChannelId, type Outpoint } from "@farwatch/protocol/ids";
import type { SpendableOutput } from "@farwatch/protocol/event";
import { bumpEvent } from "./bump-events.js";
import type { FactsOfChannels } from "./channel-facts.js";
import { RemoteWatchError } from "./errors.js";
import type { Ldk, LdkModule } from "./ldk-module.js";
import { channelIdOf, outPointOf } from "./monitor-events.js";
import { spendableOutputsEvent } from "./spendable.js";

/**
 * undefined: it is durably handled. "afterSnapshot": it is handled in what the next saved snapshot contains
 * (an OutputSweeper that is saved beside the ChannelManager, for example). Throwing: give it again.
 */
export type Handled = undefined | void | "afterSnapshot";
export type UserEventHandler = (event: Ldk.Event) => Handled | Promise<Handled>;

/** LDK's own kind of handler; what it wants replayed is given again at the next call. */
export const fromEventHandler =
  (handler: Ldk.EventHandler): UserEventHandler =>
  (event) => {
    if (!handler.handle_event(event).is_ok()) throw new Error("LDK's handler wants it again");
  };

type Pending =
  | {
      readonly kind: "spendable";
      readonly channelId: ChannelId;
      readonly outputs: readonly SpendableOutput[];
    }
  | { readonly kind: "discard"; readonly channelId: ChannelId; readonly funding: Outpoint };

interface OpenBump {
  readonly item: Extract<BumpItem, { readonly request: unknown }>;
  /** The monitor whose request it is; others may ask for the same claim. */
  readonly monitor: string;
  isTold: boolean;
  /** In the replay that runs. */
  isHeard: boolean;
}

export class UserEvents {
  readonly #pending = new Map<bigint, Pending>();
  readonly #bumps = new Map<string, OpenBump>();
  /** Done with the next saved snapshot. */
  readonly #handled = new Set<bigint>();
  #isRunning = false;

  constructor(
    private readonly ldk: LdkModule,
    private readonly facts: FactsOfChannels,
  ) {}

  spendable(itemId: bigint, about: Uint8Array | undefined, { outputs }: SpendableOutputs): void {
    if (this.#handled.has(itemId)) return;
    const read = readWith(() => ({ id: idOf(about), outputs: outputs.map(readSpendable) }));
    if (!read.ok) throw new RemoteWatchError("internal", `item ${itemId}: ${read.error.message}`);
    const { id, outputs: made } = read.value;
    this.#pending.set(itemId, { kind: "spendable", channelId: id, outputs: made });
  }

  discard(itemId: bigint, id: ChannelId, funding: Outpoint): void {
    if (this.#handled.has(itemId)) return;
    this.#pending.set(itemId, { kind: "discard", channelId: id, funding });
  }

  /** The same claim asked for by several monitors is one event. */
  bump({ monitor, ...wire }: BumpTransaction): void {
    const read = bumpItemFromWire({ ...wire, request: wire.request });
    if (!read.ok) throw new RemoteWatchError("internal", `bump request: ${read.error.message}`);
    const item = read.value;
    const key = `${item.channelId}/${claimIdOf(item)}`;
    const open = this.#bumps.get(key);
    if ("ended" in item) {
      if (open?.monitor === monitor) this.#bumps.delete(key);
    } else if (open === undefined || open.monitor === monitor || isHigher(item, open.item)) {
      const isTold = open !== undefined && isSame(item, open.item) && open.isTold;
      this.#bumps.set(key, { item, monitor, isTold, isHeard: true });
    }
  }

  /** A subscription begins: every open request comes again. */
  replayBegins(): void {
    for (const bump of this.#bumps.values()) bump.isHeard = false;
  }

  /** Requests of these monitors that did not come again are over. */
  replayEnds(knownOf: readonly string[]): void {
    for (const [key, { monitor, isHeard }] of this.#bumps) {
      if (!isHeard && knownOf.includes(monitor)) this.#bumps.delete(key);
    }
  }

  get hasWork(): boolean {
    return this.#waiting().length > 0 || [...this.#bumps.values()].some(({ isTold }) => !isTold);
  }

  /** Items whose handling the next snapshot contains. */
  handledItems(): bigint[] {
    return [...this.#handled];
  }
  done(items: readonly bigint[]): void {
    for (const id of items) {
      this.#handled.delete(id);
      this.#pending.delete(id);
    }
  }

  /** Which items are durably handled, and what the handler threw: one failure does not hold up the others. */
  async run(handler: UserEventHandler): Promise<{ done: bigint[]; failures: unknown[] }> {
    const done: bigint[] = [];
    const failures: unknown[] = [];
    if (this.#isRunning) return { done, failures };
    this.#isRunning = true;
    try {
      for (const [itemId, pending] of this.#waiting()) {
        await this.#attempt(failures, async () => {
          if ((await handler(await this.#event(pending))) === "afterSnapshot")
            this.#handled.add(itemId);
          else done.push(itemId);
        });
      }
      for (const bump of [...this.#bumps.values()].filter(({ isTold }) => !isTold)) {
        await this.#attempt(failures, async () => {
          const facts = await this.facts.ofHolder(bump.item.channelId);
          const made = bumpEvent(this.ldk, facts, bump.item.request);
          await handler(this.ldk.Event.constructor_bump_transaction(made));
          bump.isTold = true;
        });
      }
    } finally {
      this.#isRunning = false;
    }
    this.done(done);
    return { done, failures };
  }

  async #attempt(failures: unknown[], run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      failures.push(error);
    }
  }

  #waiting(): [bigint, Pending][] {
    return [...this.#pending].filter(([id]) => !this.#handled.has(id));
  }

  async #event(pending: Pending): Promise<Ldk.Event> {
    const { ldk } = this;
    if (pending.kind === "spendable") {
      return spendableOutputsEvent(ldk, await this.facts.of(pending.channelId), pending.outputs);
    }
    const info = ldk.FundingInfo.constructor_out_point(outPointOf(ldk, pending.funding));
    return ldk.Event.constructor_discard_funding(channelIdOf(ldk, pending.channelId), info);
  }
}

function idOf(about: Uint8Array | undefined): ChannelId {
  if (about === undefined) throw new RemoteWatchError("internal", "outputs of no channel");
  return channelId(toHex(about));
}

type Asked = OpenBump["item"];
const isHigher = (one: Asked, other: Asked): boolean =>
  one.request.targetFeerate > other.request.targetFeerate;
const textOfBump = ({ request }: Asked): string =>
  JSON.stringify(request, (_key, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
const isSame = (one: Asked, other: Asked): boolean => textOfBump(one) === textOfBump(other);
