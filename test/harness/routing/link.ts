/**
 * One channel of the routing node with the peer on its other end. The engine object is both sides; the
 * node is "holder". Updates go to the manager in order, and the dance waits for each to be completed.
 * What the node owes the peer while it is away waits in the holding cell (BOLT 2, reestablish).
 */
import type { Msat, Sat } from "@farwatch/protocol/amount";
import { assert, must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { encodeInitialState } from "@farwatch/protocol/convert/channel";
import { withImportedEvents, type ImportedEvent } from "@farwatch/protocol/convert/imported-events";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import type { NodeChannel } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { ChannelId, HtlcId, Outpoint, Preimage } from "@farwatch/protocol/ids";
import type { HtlcFailReason, UpdateStep } from "@farwatch/protocol/update";
import { createChannel, type Channel } from "../channel/channel.js";
import { sameHtlc, type Htlc } from "../channel/ledger.js";
import { otherSide, type SetupOptions, type Side } from "../channel/setup.js";
import type { InitialStateOptions } from "../channel/updates.js";
import type { Uplink } from "./uplink.js";

export const FIRST_UPDATE_ID = 1n;

/** Makes the transaction that funds a channel; nobody sees it before `publish`. */
export interface Funder {
  prepare(scriptPubkey: Uint8Array, amountSat: Sat): Promise<PreparedFunding>;
}
export interface PreparedFunding {
  readonly funding: Outpoint;
  publish(): Promise<void>;
}

export interface LinkOptions extends SetupOptions {
  readonly pushMsat?: Msat;
  readonly initialState?: InitialStateOptions;
  /** How many updates its manager's rows count before; the first id is one above. */
  readonly firstUpdateId?: bigint;
  /** What a monitor from before told, and nobody acked. */
  readonly imported?: readonly ImportedEvent[];
}

/** How the node ends an inbound HTLC. */
export type InboundRemoval =
  | { readonly kind: "claim"; readonly preimage: Preimage }
  | { readonly kind: "fail"; readonly reason: HtlcFailReason };

/** A message that ended an inbound HTLC, as the peer received it. */
export type SentRemoval = InboundRemoval & { readonly htlcId: HtlcId };

export class Link {
  /** Every update_fulfill_htlc and update_fail_htlc the node sent to this peer, in order. */
  readonly sent: SentRemoval[] = [];
  /** The holding cell. */
  readonly held = new Map<HtlcId, InboundRemoval>();
  /** Steps of every update, by update id from the first. */
  readonly updates: (readonly UpdateStep[])[] = [];
  /** The manager said `completed` with `closed`, or the node gave the channel up. */
  isClosed = false;
  /** Resolves when the monitors know that the node gave the channel up; undefined: it did not. */
  closing: Promise<void> | undefined;
  /** The session's verdict: the node may neither sign nor send. */
  isBehind = false;
  /** What the node remembers of its removals. */
  readonly #removals = new Map<HtlcId, InboundRemoval["kind"]>();
  #isConnected = true;
  #channel: Channel | undefined;

  private constructor(
    readonly name: string,
    private readonly uplink: Uplink,
    private readonly firstUpdateId: bigint,
    readonly userChannelId: Uint8Array | undefined,
  ) {}

  /** Watches first, then publishes the funding: no coin moves before the monitors are ready. */
  static async open(
    name: string,
    uplink: Uplink,
    funder: Funder,
    options: LinkOptions,
  ): Promise<Link> {
    const { initialState, firstUpdateId, imported = [], ...setup } = options;
    const link = new Link(
      name,
      uplink,
      firstUpdateId ?? FIRST_UPDATE_ID,
      initialState?.userChannelId,
    );
    const plan = createChannel({ ...setup, onUpdate: (steps) => link.#tell(steps) });
    const { funding, publish } = await funder.prepare(plan.fundingScriptPubkey, setup.capacitySat);
    const channel = plan.open(funding);
    link.#channel = channel;
    const state = encodeInitialState(channel.initialState("holder", initialState));
    const first = withImportedEvents(state, imported);
    await uplink.connection.watchChannel(channel.channelId, first, link.firstUpdateId);
    await publish();
    return link;
  }

  get channel(): Channel {
    return must(this.#channel, "open channel");
  }
  get channelId(): ChannelId {
    return this.channel.channelId;
  }
  get lastUpdateId(): bigint {
    return this.firstUpdateId + BigInt(this.updates.length) - 1n;
  }
  get isConnected(): boolean {
    return this.#isConnected;
  }
  /** The node and its peer may go on with the dance. */
  get isUsable(): boolean {
    return this.#isConnected && !this.isClosed && !this.isBehind;
  }

  /** What OpenNodeSession compares; of a node that remembers only its first updates: what it says. */
  cursor(remembered = this.updates.length): NodeChannel {
    const steps = this.updates.slice(0, remembered).flat();
    const holder = steps.findLast((step) => step.kind === "latestHolderCommitment");
    const peers = steps.findLast((step) => step.kind === "latestCounterpartyCommitment");
    return {
      channelId: Buffer.from(fromHex(this.channelId)),
      lastUpdateId: this.firstUpdateId + BigInt(remembered) - 1n,
      holderCommitmentNumber: BigInt(holder?.commitment.commitmentNumber ?? 0),
      counterpartyCommitmentNumber: BigInt(peers?.commitment.commitmentNumber ?? 0),
      revokedCommitments: BigInt(steps.filter(({ kind }) => kind === "commitmentSecret").length),
    };
  }

  // ---- the dance in steps ----

  /** `from` signs the other's next commitment, and the other receives it. */
  async commit(from: Side): Promise<void> {
    this.#demandUsable();
    await this.channel.signCommitment(from);
    await this.channel.receiveCommitment(otherSide(from));
  }

  /** `side` revokes its previous commitment, and the other takes the secret. */
  async revoke(side: Side): Promise<void> {
    this.#demandUsable();
    await this.channel.revoke(side);
    await this.channel.receiveRevocation(otherSide(side));
  }

  /** The rest of the dance, in both directions. True when there was any. */
  async settle(): Promise<boolean> {
    this.#demandUsable();
    const before = this.#position();
    await this.channel.settle();
    return this.#position() !== before;
  }

  // ---- the peer goes and comes ----

  /** What the peer proposed and did not commit is forgotten (BOLT 2). */
  disconnect(): void {
    this.#isConnected = false;
    this.channel.forgetProposals("counterparty");
  }

  /** The peer is back: what waited for it is sent. */
  reconnect(): void {
    this.#isConnected = true;
    this.flush();
  }

  /** As a node does that starts with this holding cell. */
  holdOnly(held: ReadonlyMap<HtlcId, InboundRemoval>): void {
    this.held.clear();
    for (const [id, removal] of held) this.held.set(id, removal);
  }

  /** Sends what is in the holding cell, unless the peer is away or the channel is over. */
  flush(): void {
    if (!this.isUsable) return;
    for (const [id, removal] of this.held) {
      this.held.delete(id);
      this.remove(id, removal);
    }
  }

  /** Sends update_fulfill_htlc or update_fail_htlc; refused as the engine refuses it. */
  remove(id: HtlcId, removal: InboundRemoval): void {
    const ref = { offeredBy: "counterparty", id } as const;
    if (removal.kind === "claim") this.channel.fulfillKnownHtlc(ref, removal.preimage);
    else this.channel.failHtlc(ref, removal.reason);
    this.#removals.set(id, removal.kind);
    this.sent.push({ htlcId: id, ...removal });
  }

  /** The node takes no further part; the monitors are told (`closing`). */
  giveUp(shouldBroadcast: boolean, reason: string): void {
    this.isClosed = true;
    this.closing = this.channel.forceClose("holder", shouldBroadcast, reason);
    // Whoever waits for `closing` hears of a refusal; nobody has to wait.
    this.closing.catch(() => undefined);
  }

  /** Where an inbound HTLC is on its way out. */
  stageOf(id: HtlcId): "standing" | "removing" | "gone" {
    const ref = { offeredBy: "counterparty", id } as const;
    if (!this.channel.liveHtlcs().some((htlc) => sameHtlc(htlc, ref))) return "gone";
    return this.standingInbound().some((htlc) => htlc.id === id) ? "standing" : "removing";
  }

  /** How the node removed it, as far as it remembers. */
  removedBy(id: HtlcId): InboundRemoval["kind"] | undefined {
    return this.#removals.get(id);
  }

  /** Inbound HTLCs that stand in both commitments and that the node is not removing. */
  standingInbound(): readonly Htlc[] {
    const ours = this.#inbound("holder");
    const theirs = new Set(this.#inbound("counterparty").map(({ id }) => id));
    return ours.filter(({ id }) => theirs.has(id) && !this.#removals.has(id));
  }

  /** The node lost its memory of this channel but for its commitments. */
  forgetRemovals(): void {
    this.channel.forgetProposals("holder");
    this.#removals.clear();
    this.held.clear();
  }

  #inbound(side: Side): readonly Htlc[] {
    const { htlcs } = this.channel.commitment(side);
    return htlcs.map(({ htlc }) => htlc).filter(({ offeredBy }) => offeredBy === "counterparty");
  }

  async #tell(steps: readonly UpdateStep[]): Promise<void> {
    this.updates.push(steps);
    const id = this.lastUpdateId;
    const completed = await this.uplink.send(this.channelId, id, encodeUpdatePayload(steps));
    if (completed.closed) this.isClosed = true;
  }

  #position(): string {
    const { channel } = this;
    const sides = ["holder", "counterparty"] as const;
    return sides.map((side) => `${channel.received(side)}/${channel.revokedBelow(side)}`).join();
  }

  #demandUsable(): void {
    assert(this.isUsable, `${this.name}: the node may not use the channel now`);
  }
}

/** An HTLC and the channel it is on. */
export interface OnLink {
  readonly link: Link;
  readonly htlc: Htlc;
}
