/**
 * PURE. Is an unconfirmed transaction the second stage of this claim, made by us (BOLT 3,
 * "HTLC-Timeout and HTLC-Success Transactions")? Asked after a restart, when what was sent is not known.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import { outpointKey } from "@farwatch/protocol/ids";
import type { FeelessClaim } from "../monitor/effect.js";
import { parseTx, type ParsedTx } from "../tx/parsed-tx.js";

/**
 * Zero, two signatures, preimage or nothing, script: the branch of the HTLC script that needs our
 * signature. All others take three items, and consensus lets no item be left over.
 */
const SECOND_STAGE_WITNESS_ITEMS = 5;

/** False too for bytes that are no transaction: then ours is offered, which costs at most a fee. */
export function isOwnSecondStage(
  { draft, outpoint }: Pick<FeelessClaim, "draft" | "outpoint">,
  rawTx: Uint8Array,
): boolean {
  const tx = readTx(rawTx);
  const [input] = tx?.inputs ?? [];
  const [output] = tx?.outputs ?? [];
  const [wanted] = parseTx(draft).outputs;
  if (input === undefined || output === undefined || wanted === undefined) return false;
  return (
    outpointKey(input.outpoint) === outpointKey(outpoint) &&
    input.witness.length === SECOND_STAGE_WITNESS_ITEMS &&
    output.valueSat === wanted.valueSat &&
    equalBytes(output.scriptPubkey, wanted.scriptPubkey)
  );
}

function readTx(rawTx: Uint8Array): ParsedTx | undefined {
  try {
    return parseTx(rawTx);
  } catch {
    return undefined; // the library throws plain errors on bytes that are no transaction
  }
}
