/** Why an HTLC that we sent failed, from LDK's words (pull request 4640) to ours. */
import { MAX_REASON_BYTES } from "../../convert/limits.js";
import { atMost, optional, present } from "../../convert/reader.js";
import type { HtlcFailKind, HtlcFailReason } from "../../update.js";
import { ON_CHAIN_TIMEOUT, type LdkFailReason } from "../resolution.js";

export function toReason(reason: LdkFailReason): HtlcFailReason {
  if (reason.kind === "local") {
    return { cause: toLocal(reason), holdTime: undefined, attributionData: undefined };
  }
  const { packet, attributionData, holdTime } = reason;
  return {
    cause: { kind: "onionError", packet: atMost(packet, MAX_REASON_BYTES, "onion_error") },
    holdTime,
    attributionData: optional(attributionData, (bytes) =>
      atMost(bytes, MAX_REASON_BYTES, "attribution_data"),
    ),
  };
}

/** Without LDK's own number it reads the reason by BOLT 4's code. */
function toLocal(local: Extract<LdkFailReason, { kind: "local" }>): HtlcFailKind {
  const { reason, failureCode, data } = local;
  if (reason?.reason === ON_CHAIN_TIMEOUT) return { kind: "onChainTimeout" };
  return {
    kind: "local",
    failureCode: reason?.failureCode ?? present(failureCode, "failure_code"),
    data: atMost(data, MAX_REASON_BYTES, "failure_data"),
  };
}
