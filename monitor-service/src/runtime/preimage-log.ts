/** Preimages as one row of a channel's log: several records of one call share it. */
import { concatBytes } from "@farwatch/protocol/bytes";
import { updateId, type Preimage, type SourceKey } from "@farwatch/protocol/ids";
import type { LogRow } from "../store/store.js";

/** The log row of an input, without what the entry knows. */
export type LogInput = Omit<LogRow, "rowId" | "channelNo" | "prevRowId">;

export interface PreimageKnowledge {
  /** farwatch/preimage/v1 body. */
  readonly header: Uint8Array;
  readonly preimage: Preimage;
  readonly sourceKey: SourceKey;
}

export const preimageLog = (
  records: readonly PreimageKnowledge[],
  batchRowId: number,
): LogInput => ({
  kind: "preimages",
  updateId: updateId(0),
  updateHash: undefined,
  header: concatBytes(...records.map(({ header }) => header)),
  payload: concatBytes(...records.map(({ preimage }) => preimage)),
  counterpartyTxids: [],
  batchRowId,
});
