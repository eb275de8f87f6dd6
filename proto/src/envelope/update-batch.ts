/** farwatch/update-batch/v1: one manager signature over many updates, or over one watch header (contract 2.3). Not atomic. */
import { MAX_BATCH_UPDATES } from "./limits.js";
import { managerBatchLayout, type ManagerBatch } from "./manager-batch.js";

export const UPDATE_BATCH_TAG = "farwatch/update-batch/v1";

export type UpdateBatch = ManagerBatch;

const layout = managerBatchLayout("updateBatch", UPDATE_BATCH_TAG, MAX_BATCH_UPDATES);

/** The batch must hold 1 to MAX_BATCH_UPDATES hashes. */
export const encodeUpdateBatch = layout.encode;
/** Errors: wrongLength, malformed (version, empty), tooLarge. */
export const parseUpdateBatch = layout.parse;
/** What the manager signs. */
export const hashUpdateBatch = layout.hash;
