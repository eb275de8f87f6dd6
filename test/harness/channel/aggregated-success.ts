/**
 * HTLC-success of several HTLCs in one transaction, as LDK makes it on anchor channels: the peer's
 * signatures bind each input to the output of the same index only (BOLT 3).
 */
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import type { Preimage } from "@farwatch/protocol/ids";
import { SIGHASH_ALL } from "@farwatch/protocol/bolt/signature";
import { htlcTxWitness } from "@farwatch/monitor-service/tx/second-stage";
import { bytesOf } from "./broadcast.js";
import type { Channel } from "./channel.js";
import { findUntrimmed, secondStageOf } from "./commitment.js";
import type { HtlcRef } from "./ledger.js";
import type { Side } from "./setup.js";

export interface Success {
  readonly htlc: HtlcRef;
  readonly preimage: Preimage;
}

/** Of `side`'s own commitment `number`; no fee is added. */
export function aggregatedSuccess(
  channel: Channel,
  side: Side,
  number: number,
  successes: readonly Success[],
): Uint8Array {
  const { setup } = channel;
  const commitment = channel.commitment(side, number);
  const parts = successes.map(({ htlc, preimage }) => {
    const found = findUntrimmed(commitment, htlc);
    return { found, preimage, ...secondStageOf(setup, commitment, found) };
  });
  const tx = new Transaction();
  tx.version = must(parts[0], "part").tx.version;
  for (const { tx: single } of parts) {
    const { hash, index, sequence } = must(single.ins[0], "input");
    tx.addInput(hash, index, sequence);
    const { script, value } = must(single.outs[0], "output");
    tx.addOutput(script, value);
  }
  const key = { kind: "htlc", perCommitmentPoint: commitment.keys.perCommitmentPoint } as const;
  for (const [index, { found, preimage, witnessScript, amountSat }] of parts.entries()) {
    const digest = tx.hashForWitnessV0(index, witnessScript, amountSat, SIGHASH_ALL);
    const witness = htlcTxWitness({
      channelType: setup.channelType,
      counterpartySignature: must(commitment.htlcSignatures[found.position], "signature"),
      broadcasterSignature: setup.sides[side].party.sign(key, digest),
      preimage,
      htlcScript: witnessScript,
    });
    tx.setWitness(index, witness);
  }
  return bytesOf(tx);
}
