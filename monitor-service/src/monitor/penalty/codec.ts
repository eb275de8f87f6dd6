/** State of a penalty-only channel <-> bytes, as monitor/codec.ts does for channels with keys. */
import { decodeVersion, encodeVersion, versionOf } from "../codec.js";
import type { PenaltyState } from "./state.js";

export const PENALTY_STATE_VERSION = "penalty-only-1";

export const encodePenaltyState = (state: PenaltyState): Uint8Array =>
  encodeVersion(PENALTY_STATE_VERSION, state);

/** undefined: of another kind of channel. Throws StateUnreadable. */
export const penaltyStateIn = (bytes: Uint8Array): PenaltyState | undefined =>
  versionOf(bytes) === PENALTY_STATE_VERSION ? decodePenaltyState(bytes) : undefined;

/** Throws StateUnreadable. */
export const decodePenaltyState = (bytes: Uint8Array): PenaltyState =>
  decodeVersion(PENALTY_STATE_VERSION, bytes) as PenaltyState;
