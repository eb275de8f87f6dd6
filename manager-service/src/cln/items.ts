/** Items of Subscribe in words, for lightningd's log and farwatch-status. */
import { assertNever } from "@farwatch/protocol/assert";
import { reversed, toHex } from "@farwatch/protocol/bytes";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import type { MonitorEventBody } from "@farwatch/protocol/event";
import type { Item, UserEvent } from "@farwatch/protocol/gen/manager/v1/event";
import type { LogLevel } from "./json-rpc.js";

export interface Told {
  readonly level: LogLevel;
  readonly text: string;
}

export function inWords({ item, itemId }: Item): Told {
  switch (item?.$case) {
    case "userEvent":
      return ofUserEvent(item.value.event);
    case "monitorEvent": {
      const channel = toHex(item.value.channelId);
      const read = decodeEventPayload(item.value.payload);
      return read.ok
        ? ofMonitor(channel, read.value.body)
        : { level: "broken", text: `an event of channel ${channel} cannot be read` };
    }
    case "command":
      return { level: "info", text: `item ${itemId} asks for nothing that this node does` };
    case undefined:
      return { level: "broken", text: `item ${itemId} is of a kind this plugin does not know` };
    default:
      return assertNever(item);
  }
}

const displayed = (internal: Uint8Array): string => toHex(reversed(internal));

function ofUserEvent(event: UserEvent["event"]): Told {
  if (event?.$case === "alarm") {
    const { code, text } = event.value;
    return { level: "broken", text: `${code}: ${text}` };
  }
  if (event?.$case === "spendableOutputs") {
    const { outputs } = event.value;
    const sum = outputs.reduce((total, { valueSat }) => total + valueSat, 0n);
    const txids = new Set(outputs.map(({ outpoint }) => displayed(outpoint?.txid ?? Buffer.of())));
    const text = `penalty transaction ${[...txids].join(", ")} confirmed: ${sum} sat are this node's`;
    return { level: "unusual", text };
  }
  return { level: "info", text: `${event?.$case ?? "an event of a later version"}` };
}

function ofMonitor(channel: string, body: MonitorEventBody): Told {
  if (body.kind === "commitmentTxConfirmed") {
    const { txid, commitmentNumber } = body;
    const which = `${txid} (number ${commitmentNumber ?? "unknown"})`;
    const text = `the peer of channel ${channel} cheated: revoked commitment ${which} is in the chain`;
    return { level: "broken", text };
  }
  if (body.kind !== "penaltyOvertaken") {
    return { level: "info", text: `${body.kind} of channel ${channel}` };
  }
  const { outpoint, spentBy, byRevocationKey } = body;
  const where = `output ${outpoint.vout} of revoked commitment ${outpoint.txid} went to ${spentBy}`;
  return byRevocationKey
    ? { level: "info", text: `${where}, which this node's own wallet sent` }
    : { level: "broken", text: `${where}: the peer of channel ${channel} has it` };
}
