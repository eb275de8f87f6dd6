/** What a node is built from: its own plan, and the world it shares with the others. */
import type { RecordedChain } from "../chain/recorded-chain.js";
import type { ChannelTypeName, FeeTable } from "../fixture/document.js";
import type { Sequence } from "./timeline.js";

export interface World {
  readonly chain: RecordedChain;
  readonly sequence: Sequence;
  readonly channelType: ChannelTypeName;
  readonly fees: () => FeeTable;
  readonly log: (line: string) => void;
}

export interface NodePlan {
  readonly name: string;
  readonly seed: Uint8Array;
  readonly startSecs: bigint;
  readonly startNanos: number;
  /** CSV delay of the peer's own outputs; LDK refuses less than 144. */
  readonly toSelfDelay: number;
  readonly cltvExpiryDelta: number;
}
