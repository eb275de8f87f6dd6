/** Short names of what the node is told, for tests over several channels: "forwarded", "claim in/1". */
import type { ChannelId } from "@farwatch/protocol/ids";
import { isCommand, type ItemContent } from "../user-event.js";
import { IN, IN2, OUT, OUT2, type Incoming } from "./htlcs.js";

const NAMES: Readonly<Record<string, string>> = {
  [IN]: "in",
  [IN2]: "in2",
  [OUT]: "out",
  [OUT2]: "out2",
};
export const nameOf = (id: ChannelId): string => NAMES[id] ?? id;
/** As the labels of its commands end: "in/1". */
export const labelOfHtlc = ({ on, id }: Incoming): string => `${nameOf(on)}/${id}`;

const LABELS: Readonly<Partial<Record<ItemContent["kind"], string>>> = {
  claimInbound: "claim",
  failInbound: "fail",
  closeChannel: "close",
  paymentForwarded: "forwarded",
  htlcHandlingFailed: "handling failed",
  forwardLost: "lost",
  paymentClaimed: "paid",
  channelClosed: "closed",
  monitorEvent: "event",
};

export function labelOf(event: ItemContent): string {
  const label = LABELS[event.kind] ?? event.kind;
  if (event.kind === "alarm") return `alarm ${event.code}`;
  if (event.kind === "channelClosed" || event.kind === "closeChannel") {
    return `${label} ${nameOf(event.channelId)}`;
  }
  if (event.kind === "forwardLost")
    return `${label} ${nameOf(event.prev.channelId)}/${event.prev.htlcId}`;
  if (isCommand(event)) return `${label} ${nameOf(event.channelId)}/${event.htlcId}`;
  if (event.kind === "monitorEvent") return `${label} ${nameOf(event.channelId)}`;
  return label;
}
