/**
 * Node B of A -> B -> C: several channels, one manager in role MANAGER_RESOLVES. The test plays A and C
 * and decides what B offers; what becomes of it, B hears from its manager and obeys. Nothing happens by
 * itself: `handleItems` and the steps of each Link are called by the test, so that it can stop anywhere.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Msat } from "@farwatch/protocol/amount";
import { assert, must } from "@farwatch/protocol/assert";
import { blockHeight, type BlockHeight } from "@farwatch/protocol/block";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { writeSource } from "@farwatch/protocol/convert/source";
import type { Item, NodeCommand } from "@farwatch/protocol/gen/manager/v1/event";
import type {
  ClosePaymentRequest,
  CommandResult,
  DoneItem,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { hashOfPreimage, paymentId, preimage, type ChannelId } from "@farwatch/protocol/ids";
import type { Secret } from "../channel/test-channel.js";
import { Inbox, type Told } from "./inbox.js";
import { Link, type Funder, type LinkOptions, type OnLink } from "./link.js";
import type { ManagerConnection } from "./manager-connection.js";
import { memoryOf, recall, type NodeMemory } from "./memory.js";
import { obey } from "./obey.js";
import {
  asInbound,
  inboundKey,
  planForward,
  planPart,
  planTrampoline,
  type ForwardOptions,
  type Outgoing,
  type Payment,
} from "./outgoing.js";
import {
  plainPolicy,
  type Answer,
  type Command,
  type EventOf,
  type Policy,
  type TellingEvent,
} from "./policy.js";
import { Uplink } from "./uplink.js";

/** Blocks until an HTLC expires that nobody gave an expiry: two hops of 40 blocks. */
const DEFAULT_CLTV_DELTA = 80;

/** Item id of a BumpTransaction: these anchor wallets are the test's, and Done does not name it. */
const LEVEL_TRIGGERED = 0n;

export interface RoutingOptions<C extends ManagerConnection> {
  /** A session that is open. */
  readonly connection: C;
  readonly funder: Funder;
  readonly height: () => Promise<number> | number;
  readonly policy?: Policy;
  /** 32 bytes, different each time; the same ones make a run repeat. */
  readonly draw?: () => Uint8Array;
}

/** An HTLC that A offered; the test knows what opens it. */
export interface Received extends OnLink {
  readonly secret: Secret;
}

/** What the node did about one command. */
export interface Obeyed {
  readonly itemId: bigint;
  readonly command: Command;
  readonly result: CommandResult;
}

export class RoutingNode<C extends ManagerConnection = ManagerConnection> {
  readonly links = new Map<string, Link>();
  readonly inbox: Inbox;
  readonly obeyed: Obeyed[] = [];
  policy: Policy;
  readonly #uplink: Uplink<C>;
  readonly #options: RoutingOptions<C>;
  readonly #draw: () => Uint8Array;
  /** Inbound HTLCs the node has forwarded or given an answer to. */
  #decided = new Set<string>();
  /** Items of this session that were looked at. */
  #seen = 0;

  constructor(options: RoutingOptions<C>) {
    this.#options = options;
    this.#uplink = new Uplink(options.connection);
    this.#draw = options.draw ?? (() => Uint8Array.from(randomBytes(32)));
    this.policy = options.policy ?? plainPolicy;
    this.inbox = new Inbox(() => this.policy);
  }

  get connection(): C {
    return this.#uplink.connection;
  }
  /** Every user event, in the order of its first delivery. */
  get told(): readonly Told[] {
    return this.inbox.told;
  }

  /** User events of one kind, one for each item. */
  eventsOf<C extends TellingEvent["$case"]>(kind: C): readonly EventOf<C>[] {
    const isIt = (event: TellingEvent): event is EventOf<C> => event.$case === kind;
    return this.told.map(({ event }) => event).filter(isIt);
  }

  // ---- channels ----

  async openChannel(name: string, options: LinkOptions): Promise<Link> {
    const link = await Link.open(name, this.#uplink, this.#options.funder, options);
    this.links.set(name, link);
    return link;
  }

  linkOf(id: ChannelId): Link | undefined {
    return [...this.links.values()].find(({ channelId }) => channelId === id);
  }

  /** Closes a channel on which the node is behind: only the monitors have a state to broadcast. */
  async closeByMonitors({ channelId }: Link, reason: string): Promise<void> {
    const id = Buffer.from(fromHex(channelId));
    await this.connection.forceClose({ channelId: id, reason, overrideStale: false });
  }

  // ---- what comes in ----

  newSecret(): Secret {
    const known = preimage(this.#draw());
    return { preimage: known, paymentHash: hashOfPreimage(known) };
  }

  /** A offers an HTLC; the dance is up to the test. */
  async offered(link: Link, amountMsat: Msat, given: Partial<Given> = {}): Promise<Received> {
    const secret = given.secret ?? this.newSecret();
    const cltvExpiry = given.cltvExpiry ?? (await this.#expiry());
    const { paymentHash } = secret;
    const htlc = link.channel.addHtlc("counterparty", { amountMsat, paymentHash, cltvExpiry });
    return { link, htlc, secret };
  }

  /** A offers an HTLC and it is committed on both sides. */
  async receive(link: Link, amountMsat: Msat, given: Partial<Given> = {}): Promise<Received> {
    const received = await this.offered(link, amountMsat, given);
    await link.settle();
    return received;
  }

  /** Inbound HTLCs that the node, by what it remembers, would forward or answer now. */
  undecidedInbound(): readonly OnLink[] {
    return [...this.links.values()].flatMap((link) =>
      link
        .standingInbound()
        .map((htlc) => ({ link, htlc }))
        .filter((on) => !this.#decided.has(inboundKey(on))),
    );
  }

  // ---- what goes out ----

  plan(from: OnLink | readonly OnLink[], to: Link, options: ForwardOptions = {}): Outgoing {
    if ("link" in from) return planForward(from, to, options);
    return planTrampoline(from, to, this.#draw(), options);
  }

  async planPart(payment: Payment, link: Link, amountMsat: Msat): Promise<Outgoing> {
    const cltvExpiry = await this.#expiry();
    return planPart(payment, link, { amountMsat, cltvExpiry, sessionKey: this.#draw() });
  }

  /** update_add_htlc; the dance is up to the test. */
  offer({ link, source, ...add }: Outgoing): OnLink {
    assert(link.isUsable, `${link.name}: the node may not use the channel now`);
    const { origin } = source;
    const inbound = origin.kind === "forward" ? [origin.inbound] : [];
    for (const htlc of origin.kind === "trampoline" ? origin.inbound : inbound) {
      this.#decided.add(inboundKey(htlc));
    }
    return { link, htlc: link.channel.addHtlc("holder", { ...add, source }) };
  }

  /** Plans, offers and commits on both sides. */
  async forward(
    from: OnLink | readonly OnLink[],
    to: Link,
    options: ForwardOptions = {},
  ): Promise<OnLink> {
    const leg = this.offer(this.plan(from, to, options));
    await to.settle();
    return leg;
  }

  /** The HTLC never entered a commitment, and never will. */
  async notSent({ link, source, paymentHash }: Outgoing, reason: string): Promise<void> {
    await this.connection.htlcNotSent({
      source: writeSource(source),
      paymentHash: Buffer.from(fromHex(paymentHash)),
      reason,
      channelId: Buffer.from(fromHex(link.channelId)),
    });
  }

  // ---- payments of the node's own ----

  async registerPayment(
    totalMsat: Msat,
    { secret = this.newSecret(), isProbe = false }: Partial<Omit<Payment, "paymentId">> = {},
  ): Promise<Payment> {
    const id = paymentId(toHex(createHash("sha256").update(this.#draw()).digest()));
    await this.connection.registerPayment({
      paymentId: Buffer.from(fromHex(id)),
      paymentHash: Buffer.from(fromHex(secret.paymentHash)),
      totalMsat,
      isProbe,
    });
    return { paymentId: id, secret, isProbe };
  }

  /** One more part, committed on both sides. */
  async payPart(payment: Payment, link: Link, amountMsat: Msat): Promise<OnLink> {
    const part = this.offer(await this.planPart(payment, link, amountMsat));
    await link.settle();
    return part;
  }

  async closePayment(
    { paymentId: id }: Payment,
    outcome: NonNullable<ClosePaymentRequest["outcome"]>,
  ): Promise<void> {
    await this.connection.closePayment({ paymentId: Buffer.from(fromHex(id)), outcome });
  }

  /** The node is the payee of these parts. */
  async claimPayment(secret: Secret, parts: readonly OnLink[]): Promise<void> {
    for (const part of parts) this.#decided.add(inboundKey(part));
    await this.connection.claimPayment({
      paymentHash: Buffer.from(fromHex(secret.paymentHash)),
      preimage: Buffer.from(secret.preimage),
      parts: parts.map(asInbound).map(({ channelId, ...htlc }) => ({
        channelId: Buffer.from(fromHex(channelId)),
        htlcId: htlc.htlcId,
        amountMsat: htlc.amountMsat,
        userChannelId: undefined,
      })),
    });
  }

  /** Fast path: C's update_fulfill_htlc arrived and is in no commitment yet. */
  async fastPath({ link, htlc }: OnLink, { preimage: known }: Secret): Promise<void> {
    await this.connection.htlcFulfilled({
      skimmedFeeMsat: htlc.skimmedFeeMsat,
      channelId: Buffer.from(fromHex(link.channelId)),
      sourceKey: Buffer.from(fromHex(htlc.source.sourceKey)),
      preimage: Buffer.from(known),
    });
  }

  // ---- what the manager tells ----

  /** Looks at every item that came since; obeys, asks the user, answers. How many there were. */
  async handleItems(): Promise<number> {
    let looked = 0;
    for (;;) {
      const item = this.connection.items[this.#seen];
      if (item === undefined) return looked;
      this.#seen += 1;
      looked += 1;
      const done = this.answerTo(item);
      if (done !== undefined) await this.connection.answer([done]);
    }
  }

  /** Answers an event that the user had not. */
  async finish(told: Told, answer: Answer): Promise<void> {
    const done = this.inbox.settle(told.itemId, answer);
    if (done !== undefined) await this.connection.answer([done]);
  }

  /** For a connection that hands items over one by one instead of handleItems. */
  answerTo(item: Item): DoneItem | undefined {
    switch (item.item?.$case) {
      case "userEvent":
        if (item.itemId === LEVEL_TRIGGERED) return undefined;
        return this.inbox.receive(item, item.item.value);
      case "command":
        return this.#obey(item.itemId, item.item.value);
      case "monitorEvent":
      case undefined:
        throw new Error("role MANAGER_RESOLVES has no such item");
    }
  }

  #obey(itemId: bigint, { command }: NodeCommand): DoneItem | undefined {
    const known = must(command, "a command of a known kind");
    if (!this.policy.obeys(known)) return undefined;
    const result = obey(known, (id) => this.linkOf(id));
    this.obeyed.push({ itemId, command: known, result });
    return { itemId, answer: { $case: "commandResult", value: result } };
  }

  /** Finishes the dance on every channel that can be used. True when there was any. */
  async settle(): Promise<boolean> {
    let moved = false;
    for (const link of this.links.values()) {
      if (link.isUsable && (await link.settle())) moved = true;
    }
    return moved;
  }

  // ---- restarts ----

  /** What the node would know after a restart from a copy made now. */
  memory(): NodeMemory {
    return memoryOf(this.links.values(), this.#decided, this.inbox.handled);
  }

  /**
   * The process starts anew with this memory; `connect` opens a session that names these channels.
   * Updates of its former life are sent again: with an older memory they are refused.
   */
  async restart(
    connect: (channels: NodeMemory["cursors"]) => Promise<C>,
    memory: NodeMemory = this.memory(),
  ): Promise<void> {
    const former = this.connection;
    const looked = former.items.length;
    const connection = await connect(memory.cursors);
    const owned = recall(memory, this.links.values(), must(connection.session, "an open session"));
    this.#decided = new Set([...memory.decided, ...owned]);
    this.inbox.remember(memory.handled);
    // A connection that outlives its sessions keeps the items of the former ones.
    this.#seen = connection === former ? looked : 0;
    this.#uplink.use(connection);
  }

  async #expiry(): Promise<BlockHeight> {
    return blockHeight((await this.#options.height()) + DEFAULT_CLTV_DELTA);
  }
}

interface Given {
  readonly secret: Secret;
  readonly cltvExpiry: BlockHeight;
}
