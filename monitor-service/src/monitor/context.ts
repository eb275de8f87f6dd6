/** What a step needs besides state and input: arithmetic and the operator's limits, no IO. */
import type { FeeratePerKw } from "@farwatch/protocol/amount";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { DEFAULT_MAX_FEERATE } from "./constants.js";

export interface MonitorContext {
  readonly curve: Curve;
  /** No claim of ours pays more; undefined: DEFAULT_MAX_FEERATE. */
  readonly maxFeerate?: FeeratePerKw | undefined;
}

export const maxFeerateOf = ({ maxFeerate }: Pick<MonitorContext, "maxFeerate">): FeeratePerKw =>
  maxFeerate ?? DEFAULT_MAX_FEERATE;
