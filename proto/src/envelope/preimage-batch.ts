/** farwatch/preimage-batch/v1: one manager signature over many preimage records (contract 2.3). Not atomic. */
import { MAX_BATCH_PREIMAGES } from "./limits.js";
import { managerBatchLayout, type ManagerBatch } from "./manager-batch.js";

export const PREIMAGE_BATCH_TAG = "farwatch/preimage-batch/v1";

export type PreimageBatch = ManagerBatch;

const layout = managerBatchLayout("preimageBatch", PREIMAGE_BATCH_TAG, MAX_BATCH_PREIMAGES);

/** The batch must hold 1 to MAX_BATCH_PREIMAGES hashes. */
export const encodePreimageBatch = layout.encode;
/** Errors: wrongLength, malformed (version, empty), tooLarge. */
export const parsePreimageBatch = layout.parse;
/** What the manager signs. */
export const hashPreimageBatch = layout.hash;
