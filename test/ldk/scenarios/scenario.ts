/** What the matrix plays (matrix.ldk.ts): each scenario once for every channel type, side by side. */
import type { Lane } from "../../harness/ldk-node/lane.js";

export interface Scenario {
  readonly name: string;
  readonly play: (lane: Lane) => Promise<void>;
}
