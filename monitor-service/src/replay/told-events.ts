/** The core's events under the names and fields a recording has for LDK's. */
import { assertNever } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { CloseReason, SpendableOutput } from "@farwatch/protocol/event";
import { outpointKey } from "@farwatch/protocol/ids";
import type { SeenEvent } from "./journal.js";
import type { ExpectedEventShape, ExpectedOutputShape } from "./recording-shape.js";

/** LDK's reason for a close that its node asked for, or that its monitor decided on. */
function reasonOf({ kind }: CloseReason): string {
  switch (kind) {
    case "htlcDeadline":
      return "HTLCsTimedOut";
    case "nodeRequested":
    case "operator":
    case "fundingReplaced":
      return "HolderForceClosed";
    default:
      return assertNever(kind);
  }
}

/**
 * Of the events a monitor of LDK 0.1 hands out too: outcomes of HTLCs on chain and closes by us. It tells
 * neither outcomes off chain nor the confirmation of a commitment.
 */
export function monitorEventsOf(events: readonly SeenEvent[]): readonly ExpectedEventShape[] {
  return events.flatMap(({ height, channel, event }): readonly ExpectedEventShape[] => {
    const { body, origin } = event;
    if (body.kind === "holderForceClosed") {
      const type = "HolderForceClosedWithInfo";
      return [{ height, channel, type, reason: reasonOf(body.reason) }];
    }
    if (body.kind !== "htlcEvent" || origin.kind === "update") return [];
    const { paymentHash, amountMsat, resolution } = body;
    return [
      {
        height,
        channel,
        type: "HTLCEvent",
        payment_hash: paymentHash,
        payment_preimage: resolution.kind === "claimed" ? toHex(resolution.preimage) : null,
        htlc_value_satoshis: String(amountMsat / 1000n),
      },
    ];
  });
}

const OUTPUT_TYPES: Readonly<Record<SpendableOutput["output"]["kind"], string>> = {
  static: "StaticOutput",
  delayedPayment: "DelayedPaymentOutput",
  staticPayment: "StaticPaymentOutput",
};

export const spendableOutputsOf = (events: readonly SeenEvent[]): readonly ExpectedOutputShape[] =>
  events.flatMap(({ height, event: { body } }) =>
    body.kind === "spendableOutputs"
      ? body.outputs.map(({ outpoint, valueSat, output }) => ({
          height,
          type: OUTPUT_TYPES[output.kind],
          outpoint: outpointKey(outpoint),
          value: String(valueSat),
        }))
      : [],
  );
