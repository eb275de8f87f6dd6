/** How outbound HTLCs fail, in domain words. */
import type { SourceKey } from "./ids.js";

/** Why an outbound HTLC failed; kept raw, re-wrapping per hop is the node's work. */
export type HtlcFailKind =
  | { readonly kind: "onionError"; readonly packet: Uint8Array }
  | { readonly kind: "local"; readonly failureCode: number; readonly data: Uint8Array }
  | { readonly kind: "onChainTimeout" };

export interface HtlcFailReason {
  readonly cause: HtlcFailKind;
  /** Units of 100 ms since the HTLC was sent. */
  readonly holdTime: number | undefined;
  readonly attributionData: Uint8Array | undefined;
}

export interface FailedHtlc {
  readonly sourceKey: SourceKey;
  readonly reason: HtlcFailReason;
}
