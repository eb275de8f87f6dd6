/**
 * PURE. The transactions of a block that may be commitments: BOLT 3 gives every one a single input, `80` as
 * the upper byte of its sequence and `20` as that of the locktime, which is no other transaction's habit.
 * Works on offsets; nothing is parsed.
 */
import { must } from "@farwatch/protocol/assert";
import { txidFromInternal, type Txid } from "@farwatch/protocol/ids";
import { layOutBlock, OUTPOINT_BYTES, TX_END, TX_FIRST_INPUT, TX_STRIDE } from "./block-layout.js";
import { HASH_BYTES } from "./verify-block.js";

const SEQUENCE_UPPER = 0x80;
const LOCKTIME_UPPER = 0x20;

/** `raw` has passed verifyBlock (throws otherwise), which returned `txids`. */
export function commitmentShaped(raw: Uint8Array, txids: Uint8Array): readonly Txid[] {
  const { txCount, txs, inputs } = must(layOutBlock(raw), "a well-formed block");
  const found: Txid[] = [];
  for (let index = 0; index < txCount; index++) {
    const at = index * TX_STRIDE;
    const first = must(txs[at + TX_FIRST_INPUT], "first input");
    if (must(txs[at + TX_STRIDE + TX_FIRST_INPUT], "end of inputs") !== first + 1) continue;
    if (raw[must(txs[at + TX_END], "end") - 1] !== LOCKTIME_UPPER) continue;
    const script = must(inputs[first], "input") + OUTPOINT_BYTES;
    // A funding output is a witness program: the scriptSig is empty, the sequence follows its length.
    if (raw[script] !== 0 || raw[script + 4] !== SEQUENCE_UPPER) continue;
    found.push(txidFromInternal(txids.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES)));
  }
  return found;
}
