/** Items and payments as the node receives them. */
import { fromHex } from "@farwatch/protocol/bytes";
import { writeOutpoint } from "@farwatch/protocol/convert/channel";
import { writeSpendable } from "@farwatch/protocol/convert/spendable";
import { writeReason } from "@farwatch/protocol/convert/update";
import {
  ClosureReason as WireClosureReason,
  type Item,
  type UserEvent as WireUserEvent,
} from "@farwatch/protocol/gen/manager/v1/event";
import {
  PaymentState,
  type Payment,
  type PaymentPart,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { txidToInternal } from "@farwatch/protocol/ids";
import type { ItemRow, PartRow, PaymentRow } from "../manager/rows.js";
import type { ClosureReason, ItemContent } from "../manager/user-event.js";

const hex = (id: string): Buffer => Buffer.from(fromHex(id));

export const itemToWire = (row: ItemRow): Item => ({
  itemId: row.itemId,
  semanticKey: row.semanticKey,
  createdAtMs: BigInt(row.createdAtMs),
  item: contentToWire(row.event),
});

function contentToWire(content: ItemContent): Item["item"] {
  if (content.kind === "closeChannel") {
    const value = { channelId: hex(content.channelId), reason: CLOSURE_REASONS[content.reason] };
    return { $case: "command", value: { command: { $case: "channelClosed", value } } };
  }
  return { $case: "userEvent", value: { event: eventToWire(content) } };
}

function eventToWire(
  event: Exclude<ItemContent, { kind: "closeChannel" }>,
): WireUserEvent["event"] {
  switch (event.kind) {
    case "paymentSent":
      return {
        $case: "paymentSent",
        value: {
          ...payment(event),
          preimage: Buffer.from(event.preimage),
          amountMsat: event.amountMsat,
          feePaidMsat: event.feePaidMsat,
        },
      };
    case "paymentFailed":
      return { $case: "paymentFailed", value: { ...payment(event), reason: event.reason } };
    case "paymentPathSuccessful":
      return { $case: "paymentPathSuccessful", value: { ...payment(event), ...path(event) } };
    case "paymentPathFailed":
      return {
        $case: "paymentPathFailed",
        value: { ...payment(event), ...path(event), reason: writeReason(event.reason) },
      };
    case "channelClosed":
      return {
        $case: "channelClosed",
        value: {
          channelId: hex(event.channelId),
          reason: CLOSURE_REASONS[event.reason],
          closingTxid:
            event.closingTxid === undefined
              ? undefined
              : Buffer.from(txidToInternal(event.closingTxid)),
          text: event.text,
        },
      };
    case "spendableOutputs":
      return { $case: "spendableOutputs", value: { outputs: event.outputs.map(writeSpendable) } };
    case "discardFunding":
      return { $case: "discardFunding", value: { funding: writeOutpoint(event.funding) } };
    case "alarm": {
      const { code, text, channelId } = event;
      const about = channelId === undefined ? undefined : hex(channelId);
      return { $case: "alarm", value: { code, text, channelId: about } };
    }
    default:
      throw new Error(`no wire form for ${event.kind} yet`);
  }
}

const payment = (event: Pick<PaymentRow, "paymentId" | "paymentHash">) => ({
  paymentId: hex(event.paymentId),
  paymentHash: hex(event.paymentHash),
});

const path = (event: { readonly partKey: Uint8Array; readonly pathSummary: Uint8Array }) => ({
  partKey: Buffer.from(event.partKey),
  pathSummary: Buffer.from(event.pathSummary),
});

export const CLOSURE_REASONS: Readonly<Record<ClosureReason, WireClosureReason>> = {
  cooperative: WireClosureReason.COOPERATIVE,
  holderForceClosed: WireClosureReason.HOLDER_FORCE_CLOSED,
  commitmentTxConfirmed: WireClosureReason.COMMITMENT_TX_CONFIRMED,
  htlcDeadline: WireClosureReason.HTLC_DEADLINE,
  counterpartyRevokedState: WireClosureReason.COUNTERPARTY_REVOKED_STATE,
  neverFunded: WireClosureReason.NEVER_FUNDED,
  outdatedNode: WireClosureReason.OUTDATED_NODE,
};

const PAYMENT_STATES: Readonly<Record<PaymentRow["state"] | PartRow["state"], PaymentState>> = {
  pending: PaymentState.PENDING,
  sent: PaymentState.SENT,
  failed: PaymentState.FAILED,
  alive: PaymentState.PENDING,
  claimed: PaymentState.SENT,
  notSent: PaymentState.FAILED,
};

export const paymentToWire = (row: PaymentRow, parts: readonly PartRow[]): Payment => ({
  ...payment(row),
  totalMsat: row.totalMsat ?? 0n,
  isProbe: false,
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
