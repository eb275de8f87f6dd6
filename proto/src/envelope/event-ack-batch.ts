/** farwatch/event-ack-batch/v1: one manager signature over many event acks (contract 2.3). Not atomic. */
import { MAX_BATCH_ACKS } from "./limits.js";
import { managerBatchLayout, type ManagerBatch } from "./manager-batch.js";

export const EVENT_ACK_BATCH_TAG = "farwatch/event-ack-batch/v1";

export type EventAckBatch = ManagerBatch;

const layout = managerBatchLayout("eventAckBatch", EVENT_ACK_BATCH_TAG, MAX_BATCH_ACKS);

/** The batch must hold 1 to MAX_BATCH_ACKS hashes. */
export const encodeEventAckBatch = layout.encode;
/** Errors: wrongLength, malformed (version, empty), tooLarge. */
export const parseEventAckBatch = layout.parse;
/** What the manager signs. */
export const hashEventAckBatch = layout.hash;
