/** EarlierState <-> wire: what the monitor of a channel that was in use knew besides its commitments. */
import type {
  CommitmentOnFundings,
  CounterpartyCommitment,
  EarlierState,
  HolderCommitment,
} from "../channel.js";
import { fromHex } from "../bytes.js";
import { preimage, sourceKey } from "../ids.js";
import type * as wire from "../../gen/monitor/v1/monitor_service.js";
import { readCounterparty, readHolder, writeCounterparty, writeHolder } from "./commitment.js";
import { readCommitments, writeCommitments, type Scoped } from "./commitments-on-fundings.js";
import { readFailed, writeFailed } from "./htlc-failure.js";
import { MAX_OUTCOMES, MAX_PREIMAGES } from "./limits.js";
import { fail, fixed, fixedHex } from "./reader.js";

const FIELD = "earlier";

export function readEarlierState(message: wire.EarlierState): EarlierState {
  const { preimages, fulfilled, failed } = message;
  if (preimages.length > MAX_PREIMAGES) {
    fail("tooLarge", `${FIELD}.preimages`, `more than ${MAX_PREIMAGES}`);
  }
  if (fulfilled.length > MAX_OUTCOMES) {
    fail("tooLarge", `${FIELD}.fulfilled`, `more than ${MAX_OUTCOMES}`);
  }
  if (failed.length > MAX_OUTCOMES) {
    fail("tooLarge", `${FIELD}.failed`, `more than ${MAX_OUTCOMES}`);
  }
  return {
    previousHolder: onFundings(
      readHolder,
      message.previousHolderCommitments,
      `${FIELD}.previous_holder_commitments`,
    ),
    previousCounterparty: onFundings(
      readCounterparty,
      message.previousCounterpartyCommitments,
      `${FIELD}.previous_counterparty_commitments`,
    ),
    preimages: preimages.map((bytes, index) =>
      preimage(fixed(bytes, 32, `${FIELD}.preimages[${index}]`)),
    ),
    fulfilled: fulfilled.map((entry, index) => {
      const at = `${FIELD}.fulfilled[${index}]`;
      if (entry.skimmedFeeMsat !== undefined || entry.attributionData !== undefined) {
        fail("malformed", at, "only the source key and the preimage are taken here");
      }
      return {
        sourceKey: sourceKey(fixedHex(entry.sourceKey, 32, `${at}.source_key`)),
        preimage: preimage(fixed(entry.preimage, 32, `${at}.preimage`)),
      };
    }),
    failed: failed.map((entry, index) => readFailed(entry, `${FIELD}.failed[${index}]`)),
  };
}

export const writeEarlierState = (earlier: EarlierState): wire.EarlierState => ({
  previousHolderCommitments: onWire(writeHolder, earlier.previousHolder),
  previousCounterpartyCommitments: onWire(writeCounterparty, earlier.previousCounterparty),
  preimages: earlier.preimages.map((bytes) => Buffer.from(bytes)),
  fulfilled: earlier.fulfilled.map((entry) => ({
    sourceKey: Buffer.from(fromHex(entry.sourceKey)),
    preimage: Buffer.from(entry.preimage),
    skimmedFeeMsat: undefined,
    attributionData: undefined,
  })),
  failed: earlier.failed.map(writeFailed),
});

const onFundings = <W extends Scoped, C extends HolderCommitment | CounterpartyCommitment>(
  read: (message: W, field: string) => C,
  messages: readonly W[],
  field: string,
): CommitmentOnFundings<C> | undefined =>
  messages.length === 0 ? undefined : readCommitments(read, messages, field);

const onWire = <W extends Scoped, C extends HolderCommitment | CounterpartyCommitment>(
  write: (commitment: C) => W,
  commitments: CommitmentOnFundings<C> | undefined,
): W[] => (commitments === undefined ? [] : writeCommitments(write, commitments));
