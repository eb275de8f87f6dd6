/** What the recorded monitor broadcast, against the chain of that moment. */
import { fromHex } from "@farwatch/protocol/bytes";
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import { parseTx } from "../tx/parsed-tx.js";
import type { Recording } from "./read-recording.js";
import { RecordedChain } from "./recorded-chain.js";
import type { NodeShape } from "./recording-shape.js";

export interface RecordedBroadcast {
  readonly height: number;
  readonly txid: string;
  readonly inputs: readonly Outpoint[];
  /** Inputs that another transaction had spent already. */
  readonly gone: readonly string[];
}

/** Of the monitor itself; what a wallet or the node's manager sent is not among them. */
export function monitorBroadcasts(
  recording: Recording,
  node: NodeShape,
): readonly RecordedBroadcast[] {
  const chain = new RecordedChain(recording.blocks);
  const inputs = new Map<string, readonly Outpoint[]>();
  return node.timeline.flatMap((entry): readonly RecordedBroadcast[] => {
    if (entry.type === "block_connected") chain.connect(entry.hash);
    if (entry.type === "block_disconnected") chain.disconnect(entry.hash);
    if (entry.type !== "broadcast" || entry.source !== "monitor") return [];
    return entry.txs.map(({ txid, raw }) => {
      if (raw !== undefined) {
        inputs.set(
          txid,
          parseTx(fromHex(raw)).inputs.map(({ outpoint }) => outpoint),
        );
      }
      const spends = inputs.get(txid) ?? [];
      const gone = spends.filter((outpoint) => {
        const spender = chain.spenderOf(outpoint);
        return spender !== undefined && spender !== txid;
      });
      return { height: chain.tip?.height ?? 0, txid, inputs: spends, gone: gone.map(outpointKey) };
    });
  });
}
