/** Why an outbound HTLC failed <-> wire. */
import { assertNever } from "../assert.js";
import { fromHex } from "../bytes.js";
import type { FailedHtlc, HtlcFailReason } from "../htlc-failure.js";
import { sourceKey } from "../ids.js";
import type * as wire from "../../gen/monitor/v1/update.js";
import { MAX_REASON_BYTES } from "./limits.js";
import { atMost, fail, fixedHex, optional, present } from "./reader.js";

export const readFailed = (entry: wire.FailedHtlc, field: string): FailedHtlc => ({
  sourceKey: sourceKey(fixedHex(entry.sourceKey, 32, `${field}.source_key`)),
  reason: readReason(present(entry.reason, `${field}.reason`), `${field}.reason`),
});

export const writeFailed = ({ sourceKey: key, reason }: FailedHtlc): wire.FailedHtlc => ({
  sourceKey: Buffer.from(fromHex(key)),
  reason: writeReason(reason),
});

export function readReason(message: wire.HtlcFailReason, field: string): HtlcFailReason {
  return {
    cause: readCause(message, field),
    holdTime: message.holdTime,
    attributionData: optional(message.attributionData, (bytes) =>
      atMost(bytes, MAX_REASON_BYTES, `${field}.attribution_data`),
    ),
  };
}

function readCause({ kind }: wire.HtlcFailReason, field: string): HtlcFailReason["cause"] {
  switch (kind?.$case) {
    case undefined:
      return fail("malformed", `${field}.kind`, "required");
    case "onionError":
      return {
        kind: "onionError",
        packet: atMost(kind.value, MAX_REASON_BYTES, `${field}.onion_error`),
      };
    case "local":
      return {
        kind: "local",
        failureCode: kind.value.failureCode,
        data: atMost(kind.value.data, MAX_REASON_BYTES, `${field}.local.data`),
      };
    case "onChainTimeout":
      return { kind: "onChainTimeout" };
    default:
      return assertNever(kind);
  }
}

export const writeReason = (reason: HtlcFailReason): wire.HtlcFailReason => ({
  kind: writeCause(reason.cause),
  holdTime: reason.holdTime,
  attributionData: optional(reason.attributionData, (bytes) => Buffer.from(bytes)),
});

function writeCause(cause: HtlcFailReason["cause"]): wire.HtlcFailReason["kind"] {
  switch (cause.kind) {
    case "onionError":
      return { $case: "onionError", value: Buffer.from(cause.packet) };
    case "local":
      return {
        $case: "local",
        value: { failureCode: cause.failureCode, data: Buffer.from(cause.data) },
      };
    case "onChainTimeout":
      return { $case: "onChainTimeout", value: {} };
    default:
      return assertNever(cause);
  }
}
