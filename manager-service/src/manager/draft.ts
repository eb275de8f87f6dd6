/** The manager's tables with their indexes, a read-only view of them, and the draft of one step. */
import type {
  AckRow,
  ChannelRow,
  ClaimRow,
  ForwardRow,
  InboundRow,
  InboxRow,
  ItemRow,
  LegRow,
  MetaRow,
  PartRow,
  PaymentRow,
  PreimageRow,
  ReceiptRow,
  SessionRow,
  UpdateRow,
  WatchRow,
} from "./rows.js";
import type { UpdateId } from "@farwatch/protocol/ids";
import { rowKeys } from "./rows.js";
import { Table, TableDraft, type Change, type Lookup } from "./tables.js";
import type { ItemContent, RelayedEvent } from "./user-event.js";

/** Every row of an index that takes all. */
export const ALL = "all";

/** Something is wanted of it: only then can an input about its channel change anything. */
const isOpen = ({ decision, lost, settled }: InboundRow): boolean =>
  !settled && (decision !== undefined || lost);

const isHtlcOnChain = (event: ItemContent): event is RelayedEvent =>
  event.kind === "monitorEvent" &&
  event.body.kind === "htlcEvent" &&
  event.origin.kind !== "update";

export function createTables() {
  return {
    channel: new Table<ChannelRow>("channel", { node: (row) => [row.nodeKey] }),
    watch: new Table<WatchRow>("watch"),
    receipt: new Table<ReceiptRow>("receipt", { monitor: (row) => [row.monitorKey] }),
    inbox: new Table<InboxRow>("inbox", {
      subject: (row) => [row.subjectKey],
      held: (row) => (row.state === "held" ? [row.channelId] : []),
      waitsFor: (row) => (row.state === "waiting" ? row.waitsFor : []),
    }),
    payment: new Table<PaymentRow>("payment", {
      hash: (row) => [row.paymentHash],
      node: (row) => [row.nodeKey],
    }),
    part: new Table<PartRow>("part", { payment: (row) => [row.paymentId] }),
    preimage: new Table<PreimageRow>("preimage", { channel: (row) => [row.channelId] }),
    inbound: new Table<InboundRow>("inbound", {
      /** Decided and not carried out yet: by channel, and all. */
      open: (row) => (isOpen(row) ? [row.channelId, ALL] : []),
      /** Not carried out yet, decided or not. */
      owned: (row) => (row.settled ? [] : [row.channelId, ALL]),
      record: (row) => [rowKeys.preimage(row)],
    }),
    forward: new Table<ForwardRow>("forward", {
      inbound: (row) => row.inbound.map(rowKeys.inbound),
      node: (row) => [row.nodeKey],
    }),
    leg: new Table<LegRow>("leg", { forward: (row) => [row.forwardKey] }),
    claim: new Table<ClaimRow>("claim", {
      inbound: (row) => row.parts.map(rowKeys.inbound),
    }),
    item: new Table<ItemRow>("item", {
      semantic: (row) => [row.semanticKey],
      /** Events handed on to the node that it has not handled, by channel. */
      relayed: ({ event, handled }) =>
        event.kind === "monitorEvent" && !handled ? [event.channelId] : [],
      /** HTLC events of the chain that the node has handled, by channel. */
      handledOnChain: ({ event, handled }) =>
        handled && isHtlcOnChain(event) ? [event.channelId] : [],
      unhandled: (row) => (row.handled ? [] : [row.nodeKey]),
      open: (row) => (row.handled ? [] : [ALL]),
    }),
    ack: new Table<AckRow>("ack", { monitor: (row) => [row.monitorKey] }),
    session: new Table<SessionRow>("session", { all: () => [ALL] }),
    meta: new Table<MetaRow>("meta"),
  };
}
export type Tables = ReturnType<typeof createTables>;

/** What predicates may look at: the tables, or a draft over them. */
export interface ManagerView {
  readonly channel: Lookup<ChannelRow>;
  readonly receipt: Lookup<ReceiptRow>;
  readonly inbox: Lookup<InboxRow>;
  readonly payment: Lookup<PaymentRow>;
  readonly part: Lookup<PartRow>;
  readonly preimage: Lookup<PreimageRow>;
  readonly inbound: Lookup<InboundRow>;
  readonly forward: Lookup<ForwardRow>;
  readonly leg: Lookup<LegRow>;
  readonly claim: Lookup<ClaimRow>;
  readonly item: Lookup<ItemRow>;
}

/** A draft over every table in memory. */
export class Draft implements ManagerView {
  readonly channel: TableDraft<ChannelRow>;
  readonly watch: TableDraft<WatchRow>;
  readonly receipt: TableDraft<ReceiptRow>;
  readonly inbox: TableDraft<InboxRow>;
  readonly payment: TableDraft<PaymentRow>;
  readonly part: TableDraft<PartRow>;
  readonly preimage: TableDraft<PreimageRow>;
  readonly inbound: TableDraft<InboundRow>;
  readonly forward: TableDraft<ForwardRow>;
  readonly leg: TableDraft<LegRow>;
  readonly claim: TableDraft<ClaimRow>;
  readonly item: TableDraft<ItemRow>;
  readonly ack: TableDraft<AckRow>;
  readonly session: TableDraft<SessionRow>;
  readonly meta: TableDraft<MetaRow>;
  /** Rows that only go to disk. */
  readonly #written: Change[] = [];

  constructor(tables: Tables) {
    this.channel = new TableDraft(tables.channel);
    this.watch = new TableDraft(tables.watch);
    this.receipt = new TableDraft(tables.receipt);
    this.inbox = new TableDraft(tables.inbox);
    this.payment = new TableDraft(tables.payment);
    this.part = new TableDraft(tables.part);
    this.preimage = new TableDraft(tables.preimage);
    this.inbound = new TableDraft(tables.inbound);
    this.forward = new TableDraft(tables.forward);
    this.leg = new TableDraft(tables.leg);
    this.claim = new TableDraft(tables.claim);
    this.item = new TableDraft(tables.item);
    this.ack = new TableDraft(tables.ack);
    this.session = new TableDraft(tables.session);
    this.meta = new TableDraft(tables.meta);
  }

  appendUpdate(channelNo: number, row: UpdateRow): void {
    const key = rowKeys.update(channelNo, row.updateId);
    this.#written.push({ table: "update", key, row, update: row });
  }

  putCheckpoint(channelNo: number, id: UpdateId, bytes: Uint8Array): void {
    const key = rowKeys.update(channelNo, id);
    this.#written.push({ table: "checkpoint", key, row: bytes, bytes });
  }
  dropCheckpoint(channelNo: number, id: UpdateId): void {
    this.#written.push({
      table: "checkpoint",
      key: rowKeys.update(channelNo, id),
      row: undefined,
    });
  }

  changes(): readonly Change[] {
    const drafts = [
      this.channel,
      this.watch,
      this.receipt,
      this.inbox,
      this.payment,
      this.part,
      this.preimage,
      this.inbound,
      this.forward,
      this.leg,
      this.claim,
      this.item,
      this.ack,
      this.session,
      this.meta,
    ];
    return [...this.#written, ...drafts.flatMap((draft) => draft.changes())];
  }
}
