/** Items as the node receives them: user events, commands, relayed monitor events. */
import { assertNever } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { writeOutpoint } from "@farwatch/protocol/convert/channel";
import { encodeEventPayload } from "@farwatch/protocol/convert/event";
import { writeSpendable } from "@farwatch/protocol/convert/spendable";
import { writeReason } from "@farwatch/protocol/convert/htlc-failure";
import {
  ClosureReason as WireClosureReason,
  type HtlcLocator as WireLocator,
  type Item,
  type NodeCommand as WireCommand,
  type UserEvent as WireUserEvent,
} from "@farwatch/protocol/gen/manager/v1/event";
import { txidToInternal } from "@farwatch/protocol/ids";
import type { ItemRow, PaymentRow } from "../manager/rows.js";
import type {
  ClosureReason,
  HtlcLocator,
  ItemContent,
  NodeCommand,
  RelayedEvent,
  UserEvent,
} from "../manager/user-event.js";

const hex = (id: string): Buffer => Buffer.from(fromHex(id));
const bytes = (value: Uint8Array | undefined): Buffer | undefined =>
  value === undefined ? undefined : Buffer.from(value);

export const itemToWire = (row: ItemRow): Item => ({
  itemId: row.itemId,
  semanticKey: row.semanticKey,
  createdAtMs: BigInt(row.createdAtMs),
  item: contentToWire(row.event),
});

function contentToWire(content: ItemContent): Item["item"] {
  switch (content.kind) {
    case "claimInbound":
    case "failInbound":
    case "closeChannel":
      return { $case: "command", value: { command: commandToWire(content) } };
    case "monitorEvent":
      return { $case: "monitorEvent", value: relayedToWire(content) };
    default:
      return {
        $case: "userEvent",
        value: { event: eventToWire(content), channelId: channelOf(content) },
      };
  }
}

/** Of the events that do not name it themselves. */
const channelOf = (event: UserEvent): Buffer | undefined =>
  event.kind === "spendableOutputs" || event.kind === "discardFunding"
    ? hex(event.channelId)
    : undefined;

function commandToWire(command: NodeCommand): WireCommand["command"] {
  const channelId = hex(command.channelId);
  switch (command.kind) {
    case "claimInbound": {
      const value = {
        channelId,
        htlcId: BigInt(command.htlcId),
        preimage: Buffer.from(command.preimage),
        attributionData: bytes(command.attributionData),
      };
      return { $case: "claimInbound", value };
    }
    case "failInbound": {
      const value = {
        channelId,
        htlcId: BigInt(command.htlcId),
        reason: writeReason(command.reason),
      };
      return { $case: "failInbound", value };
    }
    case "closeChannel":
      return {
        $case: "channelClosed",
        value: { channelId, reason: CLOSURE_REASONS[command.reason] },
      };
    default:
      return assertNever(command);
  }
}

/** The monitor's header and signature stay with the manager, which verified them. */
const relayedToWire = (event: RelayedEvent) => ({
  channelId: hex(event.channelId),
  eventId: event.eventId,
  header: Buffer.alloc(0),
  eventHash: hex(event.eventHash),
  payload: Buffer.from(encodeEventPayload(event)),
  subjectKey: Buffer.alloc(0),
  createdAtMs: BigInt(event.createdAtMs),
  signature: Buffer.alloc(0),
});

export const locatorToWire = (locator: HtlcLocator): WireLocator => ({
  channelId: hex(locator.channelId),
  htlcId: locator.htlcId === undefined ? undefined : BigInt(locator.htlcId),
  amountMsat: locator.amountMsat,
  userChannelId: bytes(locator.userChannelId),
});

function eventToWire(event: UserEvent): WireUserEvent["event"] {
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
    case "probeResult": {
      const value = { ...payment(event), ...path(event), reason: writeReason(event.reason) };
      return { $case: "probeResult", value };
    }
    case "probeSuccessful":
      return { $case: "probeSuccessful", value: { ...payment(event), ...path(event) } };
    case "probeFailed":
      return { $case: "probeFailed", value: { ...payment(event), ...path(event) } };
    case "paymentForwarded":
    case "htlcHandlingFailed":
    case "forwardLost":
    case "paymentClaimed":
      return forwardToWire(event);
    default:
      return assertNever(event);
  }
}

type OfForwards = Extract<
  UserEvent,
  { kind: "paymentForwarded" | "htlcHandlingFailed" | "forwardLost" | "paymentClaimed" }
>;

function forwardToWire(event: OfForwards): WireUserEvent["event"] {
  switch (event.kind) {
    case "paymentForwarded":
      return {
        $case: "paymentForwarded",
        value: {
          prev: event.prev.map(locatorToWire),
          next: event.next.map(locatorToWire),
          totalFeeMsat: event.totalFeeMsat,
          skimmedFeeMsat: event.skimmedFeeMsat,
          claimFromOnchain: event.claimFromOnchain,
        },
      };
    case "htlcHandlingFailed":
      return {
        $case: "htlcHandlingFailed",
        value: { prev: event.prev.map(locatorToWire), reason: writeReason(event.reason) },
      };
    case "forwardLost":
      return {
        $case: "forwardLost",
        value: {
          prev: locatorToWire(event.prev),
          next: locatorToWire(event.next),
          amountMsat: event.amountMsat,
        },
      };
    case "paymentClaimed":
      return {
        $case: "paymentClaimed",
        value: { paymentHash: hex(event.paymentHash), amountMsat: event.amountMsat },
      };
    default:
      return assertNever(event);
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
