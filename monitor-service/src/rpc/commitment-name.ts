/** How requests name a commitment of the counterparty. */
import type { CommitmentName as WireName } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { commitmentNumber, txidFromInternal, updateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { CommitmentName } from "../runtime/monitor-host.js";

const TXID_BYTES = 32;
/** BOLT 3: commitments are numbered in 48 bits. */
const MAX_COMMITMENT_NUMBER = 2n ** 48n - 1n;

/** Errors: malformed, wrongLength, rangeExceeded. */
export function readCommitmentName(wire: WireName | undefined): Result<CommitmentName, Refusal> {
  const by = wire?.by;
  if (by === undefined) {
    return err(refuse("malformed", "name a commitment", { field: "commitment" }));
  }
  switch (by.$case) {
    case "commitmentNumber":
      if (by.value <= MAX_COMMITMENT_NUMBER) {
        return ok({ by: "number", number: commitmentNumber(Number(by.value)) });
      }
      return err(
        refuse("rangeExceeded", "commitment numbers have 48 bits", {
          field: "commitment.commitment_number",
        }),
      );
    case "txid":
      if (by.value.length === TXID_BYTES) {
        return ok({ by: "txid", txid: txidFromInternal(by.value) });
      }
      return err(
        refuse("wrongLength", `expected ${TXID_BYTES} bytes`, { field: "commitment.txid" }),
      );
    case "updateId":
      return ok({ by: "update", updateId: updateId(by.value) });
  }
}
