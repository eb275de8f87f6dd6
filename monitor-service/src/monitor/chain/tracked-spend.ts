/**
 * An output we track was spent. HTLC outputs tell how the HTLC ended: a preimage in the witness settles
 * it at once (BOLT 5: "MUST extract the payment preimage"), anything else fails it when deep. The HTLC is
 * known from the outpoint, so the witness is only asked for a preimage that opens its hash.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import type { CommitmentHtlc } from "@farwatch/protocol/channel";
import {
  hashOfPreimage,
  outpointKey,
  preimage as toPreimage,
  type Preimage,
} from "@farwatch/protocol/ids";
import type { ParsedInput, ParsedTx } from "../../tx/parsed-tx.js";
import { asOutbound } from "../htlcs.js";
import type { TrackedOutput } from "../state.js";
import { change, claimOutbound, type Work } from "../work.js";
import { followSecondStage } from "./second-stage.js";
import { recordSpend, waitForFailure } from "./waiting.js";

const PREIMAGE_LENGTH = 32;
/** `0 <remote sig> <local sig> <preimage or empty> <script>`: a second-stage transaction. */
const SECOND_STAGE_WITNESS_ITEMS = 5;

export function onTrackedSpend(
  work: Work,
  tx: ParsedTx,
  inputIndex: number,
  output: TrackedOutput,
  block: BlockPoint,
): void {
  if (output.role.kind === "unidentified") {
    change(work, { unidentifiedSpends: [...work.state.unidentifiedSpends, { tx, block }] });
    return;
  }
  const input = tx.inputs[inputIndex];
  const htlc = output.role.kind === "htlc" ? output.role.htlc : undefined;
  const preimage =
    htlc === undefined || input === undefined ? undefined : revealedPreimage(input, htlc);
  const spender = { txid: tx.txid, byPreimage: preimage !== undefined };
  recordSpend(work, output.outpoint, block, spender);
  if (htlc === undefined || input === undefined) return;
  const outbound = asOutbound(htlc);
  if (outbound !== undefined && preimage !== undefined) {
    claimOutbound(work, outbound, preimage, { kind: "chain", txid: tx.txid, block });
  } else if (outbound !== undefined) {
    waitForFailure(work, outbound, tx.txid, block, output.outpoint);
  }
  if (input.witness.length === SECOND_STAGE_WITNESS_ITEMS) followSecondStage(work, tx, block);
}

/**
 * An update has named the commitment that confirmed: what happened to its outputs meanwhile is looked at
 * again, now that they are known. A transaction that spends several of them stands there once for each.
 */
export function revisitSpends(work: Work): void {
  const seen = work.state.unidentifiedSpends;
  change(work, { unidentifiedSpends: [] });
  for (const { tx, block } of seen) {
    for (const [index, input] of tx.inputs.entries()) {
      const key = outpointKey(input.outpoint);
      const output = work.state.tracked.find(({ outpoint }) => outpointKey(outpoint) === key);
      if (output === undefined || work.state.outputSpends.has(key)) continue;
      onTrackedSpend(work, tx, index, output, block);
    }
  }
}

/** The outputs of the commitment are about to be tracked by what they are. */
export function forgetUnidentified(work: Work): void {
  change(work, {
    tracked: work.state.tracked.filter(({ role }) => role.kind !== "unidentified"),
  });
}

/** The second-to-last witness item, when it opens this HTLC's payment hash. */
function revealedPreimage(input: ParsedInput, htlc: CommitmentHtlc): Preimage | undefined {
  const item = input.witness.at(-2);
  if (item?.length !== PREIMAGE_LENGTH) return undefined;
  const candidate = toPreimage(item);
  return hashOfPreimage(candidate) === htlc.paymentHash ? candidate : undefined;
}
