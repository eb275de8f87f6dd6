/** Payments and forwards as lists show them. */
import { fromHex } from "@farwatch/protocol/bytes";
import {
  ForwardState,
  PaymentState,
  type Forward,
  type Payment,
  type PaymentPart,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { Tables } from "../manager/draft.js";
import { conditionsOf } from "../manager/forwards/outcomes.js";
import { whyUnresolved } from "../manager/forwards/resolved.js";
import {
  rowKeys,
  type ForwardRow,
  type LegRow,
  type PartRow,
  type PaymentRow,
} from "../manager/rows.js";
import { locatorToWire } from "./item-to-wire.js";

const hex = (id: string): Buffer => Buffer.from(fromHex(id));

const PAYMENT_STATES: Readonly<
  Record<PaymentRow["state"] | PartRow["state"] | LegRow["state"], PaymentState>
> = {
  pending: PaymentState.PENDING,
  sent: PaymentState.SENT,
  failed: PaymentState.FAILED,
  alive: PaymentState.PENDING,
  claimed: PaymentState.SENT,
  notSent: PaymentState.FAILED,
  refunded: PaymentState.FAILED,
};

export const paymentToWire = (row: PaymentRow, parts: readonly PartRow[]): Payment => ({
  paymentId: hex(row.paymentId),
  paymentHash: hex(row.paymentHash),
  totalMsat: row.totalMsat ?? 0n,
  isProbe: row.isProbe,
  state: PAYMENT_STATES[row.state],
  parts: parts.map(partToWire),
  closedByNode: row.closedReason !== undefined,
});

const partToWire = (part: PartRow): PaymentPart => ({
  partKey: Buffer.from(part.partKey),
  sourceKey: hex(part.sourceKey),
  channelId: hex(part.channelId),
  amountMsat: part.amountMsat,
  state: PAYMENT_STATES[part.state],
});

const FORWARD_STATES: Readonly<Record<ForwardRow["state"], ForwardState>> = {
  pending: ForwardState.PENDING,
  claimed: ForwardState.CLAIMED,
  failed: ForwardState.FAILED,
};

export function forwardToWire(tables: Tables, row: ForwardRow): Forward {
  const legs = tables.leg.select("forward", row.forwardKey);
  return {
    paymentHash: hex(row.paymentHash),
    state: FORWARD_STATES[row.state],
    prev: row.inbound.map((htlc) => {
      const inbound = tables.inbound.get(rowKeys.inbound(htlc));
      return {
        htlc: locatorToWire(htlc),
        settled: inbound?.settled ?? false,
        lost: inbound?.lost ?? false,
      };
    }),
    next: legs.map((leg) => ({ htlc: locatorToWire(leg), state: PAYMENT_STATES[leg.state] })),
    intercepted: row.intercepted,
    trampoline: row.kind === "trampoline",
    claimFromOnchain: row.claimFromOnchain,
    skimmedFeeMsat: row.skimmedFeeMsat,
    whyUnresolved: whyPending(tables, row),
  };
}

/** A node that resolves by itself is told nothing of a forward, so nothing of it can be left to do here. */
function whyPending(tables: Tables, row: ForwardRow): string | undefined {
  if (row.state === "pending") return "an outbound HTLC is not resolved";
  const role = tables.session.get(row.nodeKey)?.role ?? "managerResolves";
  if (role !== "managerResolves") return undefined;
  return whyUnresolved(tables, row.forwardKey) ?? unhandledOf(tables, row);
}

function unhandledOf(tables: Tables, row: ForwardRow): string | undefined {
  const key = conditionsOf(row).find((wanted) =>
    tables.item.select("semantic", wanted).some(({ handled }) => !handled),
  );
  return key === undefined ? undefined : `the node has not handled ${key}`;
}
