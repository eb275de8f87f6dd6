/**
 * A manager core between channels, two required monitors each: HTLCs come in, are forwarded, claimed and
 * failed by the events of either monitor; the node answers. Items are named by short labels: "forwarded",
 * "handling failed", "claim in/1". No rules of its own.
 */
import { assert, must } from "@farwatch/protocol/assert";
import type { Msat } from "@farwatch/protocol/amount";
import { utf8 } from "@farwatch/protocol/bytes";
import type { EventOrigin, MonitorEventBody } from "@farwatch/protocol/event";
import {
  eventId,
  hash32,
  storeId,
  updateId,
  type ChannelId,
  type MonitorKey,
  type StoreId,
} from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { Decision } from "../effect.js";
import type { CommandResult, DoneAnswer, ManagerInput, NodeChannel } from "../input.js";
import {
  rowKeys,
  type ChannelRow,
  type InboundRow,
  type InboxRow,
  type ItemRow,
  type Role,
} from "../rows.js";
import type { ItemContent } from "../user-event.js";
import type { Change } from "../tables.js";
import { Core } from "./core.js";
import {
  claimOf,
  committed,
  failOf,
  IN,
  IN2,
  keyOf,
  OUT,
  OUT2,
  paymentHashOf,
  type Incoming,
  type Outgoing,
  type TestHtlc,
} from "./htlcs.js";
import { labelOf, nameOf } from "./labels.js";
import {
  byte,
  confirmed,
  CONTEXT,
  counterparty,
  initialState,
  MONITOR_A,
  MONITOR_B,
  NODE,
  ON_CHAIN,
  revoke,
  secretOf,
  STORE_A,
  STORE_B,
} from "./scene.js";

export const MONITORS = [MONITOR_A, MONITOR_B] as const;
export const ALL_CHANNELS = [IN, IN2, OUT, OUT2] as const;

export class Hops extends Core {
  readonly #events = new Map<string, number>();
  readonly #delivered: Extract<ManagerInput, { kind: "monitorEvent" }>[] = [];
  /** Monitors that lost their first store. */
  readonly #replaced = new Map<MonitorKey, StoreId>();
  readonly #carried = new Map<ChannelId, readonly TestHtlc[]>();

  constructor(role?: Role, channels: readonly ChannelId[] = ALL_CHANNELS) {
    super(CONTEXT);
    this.session(1n, { role: role ?? "managerResolves" });
    for (const on of channels) {
      this.watch(on);
      this.durable(on);
    }
  }

  session(
    nodeEpoch: bigint,
    more: { readonly role?: Role; readonly channels?: readonly NodeChannel[] } = {},
  ) {
    const { role = "managerResolves", channels = this.nodeChannels } = more;
    const fresh = { nodeKey: NODE, nodeEpoch, newSessionId: `session ${nodeEpoch}` };
    return this.input({ kind: "sessionOpened", role, ...fresh, channels });
  }
  get sessionId(): string | undefined {
    return this.tables.session.get(NODE)?.sessionId;
  }
  /** What an honest node says of its channels. */
  get nodeChannels(): readonly NodeChannel[] {
    return [...this.tables.channel.values()].map((row) => ({
      channelId: row.channelId,
      lastUpdateId: row.acceptedId,
      holderNumber: BigInt(row.holderNumber),
      counterpartyNumber: BigInt(row.counterparty.number),
      revokedCommitments: BigInt(row.revokedCommitments),
    }));
  }

  watch(on: ChannelId, htlcs: readonly TestHtlc[] = [], nodeKey = NODE, first = 1n): void {
    this.#carried.set(on, htlcs);
    this.expectOk({
      kind: "watchOffered",
      nodeKey,
      initial: initialState(htlcs.map(committed), on),
      firstUpdateId: updateId(first),
      payload: utf8(`watch ${on}`),
      requiredMonitors: MONITORS,
      setNo: 1,
    });
  }

  offer(on: ChannelId, ...steps: readonly UpdateStep[]) {
    const id = updateId(this.channel(on).acceptedId + 1n);
    const payload = utf8(`update ${on} ${id}`);
    const offered = { nodeKey: NODE, channelId: on, updateId: id, payload, steps };
    return this.input({ kind: "updateOffered", ...offered, stored: undefined });
  }
  /** A new counterparty commitment; nothing is revoked yet. */
  sign(on: ChannelId, htlcs: readonly TestHtlc[]) {
    const number = this.channel(on).counterparty.number + 1;
    const commitment = counterparty(number, htlcs.map(committed));
    const offered = this.offer(on, {
      kind: "latestCounterpartyCommitment",
      commitment,
      pending: [],
    });
    if (offered.ok && offered.value.refusal === undefined) this.#carried.set(on, htlcs);
    return offered;
  }
  revokePrevious(on: ChannelId): void {
    const previous = must(this.channel(on).counterpartyPrevious, "previous commitment");
    assert(this.offer(on, revoke(previous.number)).ok, "revoked");
  }
  carried(on: ChannelId): readonly TestHtlc[] {
    return this.#carried.get(on) ?? [];
  }
  /** Committed on both sides and durable. */
  add(...htlcs: readonly TestHtlc[]): void {
    for (const htlc of htlcs) {
      const signed = this.sign(htlc.on, [...this.carried(htlc.on), htlc]);
      assert(signed.ok, `refused: ${signed.ok ? "" : signed.error.message}`);
      this.revokePrevious(htlc.on);
      this.durable(htlc.on);
    }
  }
  /** Out of the last un-revoked counterparty commitment; accepted, durable nowhere yet. */
  remove(htlc: TestHtlc): void {
    const left = this.carried(htlc.on).filter((other) => other !== htlc);
    assert(this.sign(htlc.on, left).ok, "signed");
    this.revokePrevious(htlc.on);
  }

  /** The node closes the channel by its own step. */
  lockDown(on: ChannelId): void {
    const step = { kind: "channelForceClosed", shouldBroadcast: true, reason: "bye" } as const;
    assert(this.offer(on, step).ok, "closed");
  }

  receipt(monitor: MonitorKey, on: ChannelId, more: { closed?: boolean; store?: string } = {}) {
    const { acceptedId, headHash } = this.channel(on);
    return this.expectOk({
      kind: "receiptsStored",
      monitorKey: monitor,
      storeId: this.#storeOf(monitor),
      receipts: [
        {
          channelId: on,
          updateId: acceptedId,
          updateHash: headHash,
          afterClose: more.closed ?? false,
          watermark: eventId(0),
          proof: new Uint8Array([1]),
        },
      ],
    });
  }
  #storeOf(monitor: MonitorKey): StoreId {
    return this.#replaced.get(monitor) ?? (monitor === MONITOR_A ? STORE_A : STORE_B);
  }
  /** The monitor starts again from nothing and is brought up to date. */
  replaceStore(monitor: MonitorKey, on: ChannelId): void {
    this.#replaced.set(monitor, storeId(byte(0x55, 16)));
    this.receipt(monitor, on);
  }
  /** On every required monitor. */
  durable(on: ChannelId): void {
    for (const monitor of MONITORS) this.receipt(monitor, on);
  }

  /** The monitor's next event of the channel; `id` repeats an earlier one. */
  event(
    monitor: MonitorKey,
    on: ChannelId,
    body: MonitorEventBody,
    { origin = ON_CHAIN, id }: { readonly origin?: EventOrigin; readonly id?: number } = {},
  ): Decision {
    const key = `${monitor}/${on}`;
    const next = id ?? (this.#events.get(key) ?? 0) + 1;
    if (id === undefined) this.#events.set(key, next);
    const event = {
      kind: "monitorEvent" as const,
      monitorKey: monitor,
      storeId: this.#storeOf(monitor),
      channelId: on,
      eventId: eventId(next),
      eventHash: hash32(byte(next)),
      subjectKey: hash32(body.kind === "htlcEvent" ? body.source.sourceKey : on),
      body,
      origin,
      createdAtMs: 1,
    };
    this.#delivered.push(event);
    return this.expectOk(event);
  }
  claims(monitor: MonitorKey, htlc: Outgoing, origin: EventOrigin = ON_CHAIN, skim?: Msat) {
    return this.event(monitor, htlc.on, claimOf(htlc, skim), { origin });
  }
  fails(monitor: MonitorKey, htlc: Outgoing, origin: EventOrigin = ON_CHAIN) {
    return this.event(monitor, htlc.on, failOf(htlc), { origin });
  }
  closes(monitor: MonitorKey, on: ChannelId) {
    return this.event(monitor, on, confirmed(false));
  }
  stored(monitor: MonitorKey, on: ChannelId, secret = 1): Decision {
    const records = [{ channelId: on, paymentHash: paymentHashOf({ secret }) }];
    const from = { monitorKey: monitor, storeId: this.#storeOf(monitor) };
    return this.expectOk({ kind: "preimagesStored", ...from, records });
  }
  /** The preimage record is durable on every required monitor. */
  kept(on: ChannelId, secret = 1): void {
    for (const monitor of MONITORS) this.stored(monitor, on, secret);
  }
  /** Every event that ever arrived, again: as after a monitor lost its acks. Returns what was told. */
  redeliver(): readonly string[] {
    return this.#delivered.flatMap((event) => {
      this.expectOk(event);
      return this.effects.flatMap((effect) =>
        effect.kind === "deliver" ? [labelOf(effect.item.event)] : [],
      );
    });
  }
  /** Every event that is not acked yet, again; returns what that changed. */
  replay(): readonly Change[] {
    return [...this.tables.inbox.values()].flatMap(
      ({ joined: _joined, state: _state, waitsFor: _waitsFor, ...event }) =>
        this.expectOk({ kind: "monitorEvent", ...event }).changes,
    );
  }
  ackEverything(): void {
    const inboxKeys = [...this.tables.ack.values()].map((ack) => rowKeys.inbox(ack));
    this.expectOk({ kind: "acksConfirmed", inboxKeys });
  }

  fulfilled(htlc: Outgoing, skimmedFeeMsat?: Msat) {
    const named = { channelId: htlc.on, sourceKey: htlc.source.sourceKey };
    const preimage = secretOf(htlc.secret);
    return this.input({
      kind: "htlcFulfilled",
      nodeKey: NODE,
      ...named,
      preimage,
      skimmedFeeMsat,
    });
  }
  notSent(htlc: Outgoing, nodeKey = NODE) {
    const named = { channelId: htlc.on, source: htlc.source, paymentHash: paymentHashOf(htlc) };
    return this.input({ kind: "htlcNotSent", nodeKey, ...named });
  }
  claimPayment(parts: readonly Incoming[], secret = 1) {
    const request = { nodeKey: NODE, paymentHash: paymentHashOf({ secret }) };
    const preimage = secretOf(secret);
    const named = parts.map((part) => {
      const { htlcId, amountMsat } = committed(part);
      return { channelId: part.on, htlcId, amountMsat };
    });
    return this.input({ kind: "claimRequested", ...request, preimage, parts: named });
  }
  later(ms: number): void {
    this.context = { ...this.context, nowMs: this.context.nowMs + ms };
    this.expectOk({ kind: "timePassed" });
  }

  done(items: readonly { itemId: bigint; answer: DoneAnswer }[], nodeKey = NODE) {
    return this.input({ kind: "itemsDone", nodeKey, items });
  }
  openItem(label: string): ItemRow | undefined {
    return this.tables.item.select("unhandled", NODE).find(({ event }) => labelOf(event) === label);
  }
  #done(label: string, answer: DoneAnswer): Decision {
    const { itemId } = must(this.openItem(label), `${label} among ${this.open.join(", ")}`);
    return this.expectOk({ kind: "itemsDone", nodeKey: NODE, items: [{ itemId, answer }] });
  }
  handle(label: string): Decision {
    return this.#done(label, { kind: "handled" });
  }
  answer(label: string, result: CommandResult): Decision {
    return this.#done(label, { kind: "command", result });
  }
  probed(label: string, succeeded: boolean): Decision {
    return this.#done(label, { kind: "probe", succeeded });
  }

  channel(on: ChannelId): ChannelRow {
    return must(this.tables.channel.get(on), "channel");
  }
  inbound(htlc: Incoming): InboundRow {
    return must(this.tables.inbound.get(keyOf(htlc)), "inbound row");
  }
  inbox(monitor: MonitorKey, on: ChannelId, id = 1): InboxRow | undefined {
    const named = { monitorKey: monitor, storeId: this.#storeOf(monitor), channelId: on };
    return this.tables.inbox.get(rowKeys.inbox({ ...named, eventId: eventId(id) }));
  }
  #labels(isOpen: boolean | undefined): readonly string[] {
    return [...this.tables.item.values()]
      .filter(({ handled }) => isOpen === undefined || handled !== isOpen)
      .map(({ event }) => labelOf(event));
  }
  /** What the node has not handled, in the order it was told, but for `closing`. */
  get open(): readonly string[] {
    return this.#labels(true).filter((label) => !label.startsWith("close "));
  }
  /** Channels the node is commanded to stop using: "close in". */
  get closing(): readonly string[] {
    return this.#labels(true).filter((label) => label.startsWith("close "));
  }
  /** How often a fact was told, handled or not. */
  told(label: string): number {
    return this.#labels(undefined).filter((other) => other === label).length;
  }
  content<K extends ItemContent["kind"]>(kind: K): Extract<ItemContent, { kind: K }> {
    const isKind = (event: ItemContent): event is Extract<ItemContent, { kind: K }> =>
      event.kind === kind;
    const found = [...this.tables.item.values()].map(({ event }) => event).find(isKind);
    return must(found, kind);
  }
  /** Acks on their way: "A1 out". */
  get acks(): readonly string[] {
    return [...this.tables.ack.values()]
      .map(
        ({ monitorKey, eventId: id, channelId }) =>
          `${monitorKey === MONITOR_A ? "A" : "B"}${id} ${nameOf(channelId)}`,
      )
      .sort();
  }
  /** Channels that have a record of the preimage. */
  records(secret = 1): readonly string[] {
    const paymentHash = paymentHashOf({ secret });
    return [...this.tables.preimage.values()]
      .filter((row) => row.paymentHash === paymentHash)
      .map(({ channelId }) => nameOf(channelId))
      .sort();
  }
}
