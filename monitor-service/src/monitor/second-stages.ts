/** The second-stage transactions a holder commitment calls for: one per HTLC with an output (BOLT 3). */
import { must } from "@farwatch/protocol/assert";
import type { HolderCommitment } from "@farwatch/protocol/channel";
import { nonDustByOutput } from "./commitments.js";
import type { HolderHtlcClaim, MonitorState } from "./state.js";

export const claimsOn = (
  { htlcs, txid, counterpartyHtlcSignatures }: HolderCommitment,
  preimages: MonitorState["preimages"],
): readonly HolderHtlcClaim[] =>
  nonDustByOutput(htlcs).map(({ htlc, outputIndex }, position) => ({
    commitmentTxid: txid,
    htlc,
    outputIndex,
    counterpartySignature: must(
      counterpartyHtlcSignatures[position],
      "one signature per non-dust HTLC",
    ),
    preimage: htlc.offered ? undefined : preimages.get(htlc.paymentHash),
  }));
