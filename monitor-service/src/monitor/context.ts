/** What a step needs besides state and input: arithmetic, no IO. */
import type { Curve } from "@farwatch/protocol/curve/curve";

export interface MonitorContext {
  readonly curve: Curve;
}
