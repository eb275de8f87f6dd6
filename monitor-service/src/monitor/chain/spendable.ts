/**
 * Outputs of ours that need no more fighting for (onchain-engine 10): paid to the destination or
 * shutdown script, our to_remote, or our delayed outputs. Told once they are mature.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import { equalBytes } from "@farwatch/protocol/bytes";
import type { SpendableOutputKind } from "@farwatch/protocol/event";
import { p2wsh, toLocalScript, toRemoteOutput } from "@farwatch/protocol/bolt/scripts";
import type { ParsedTx } from "../../tx/parsed-tx.js";
import { holderKeys } from "../commitments.js";
import type { Work } from "../work.js";
import { addOwnOutput } from "./own-outputs.js";
import { matureAfterCsv, matureHeight, wait } from "./waiting.js";

interface Ours {
  readonly scriptPubkey: Uint8Array;
  readonly output: SpendableOutputKind;
}

export function collectSpendable(work: Work, tx: ParsedTx, block: BlockPoint): void {
  const scripts = ourScripts(work);
  const spends = tx.inputs.map(({ outpoint }) => outpoint);
  for (const [vout, { scriptPubkey, valueSat }] of tx.outputs.entries()) {
    const ours = scripts.find((candidate) => equalBytes(candidate.scriptPubkey, scriptPubkey));
    if (ours === undefined) continue;
    const matureAt =
      ours.output.kind === "delayedPayment"
        ? matureAfterCsv(block.height, ours.output.contestDelay)
        : matureHeight(block.height);
    const output = {
      outpoint: { txid: tx.txid, vout },
      valueSat,
      scriptPubkey,
      output: ours.output,
    };
    addOwnOutput(work, output, block.height, matureAt);
    wait(work, tx.txid, block, { kind: "spendable", output, spends }, matureAt);
  }
}

function ourScripts(work: Work): readonly Ours[] {
  const { parameters, shutdownScript, spend } = work.state;
  const { channelKeysId, channelType, holderPubkeys } = parameters;
  const toRemote = toRemoteOutput(channelType, holderPubkeys.paymentPoint);
  const scripts: Ours[] = [
    { scriptPubkey: parameters.destinationScript, output: { kind: "static" } },
    {
      scriptPubkey: toRemote.scriptPubkey,
      output: {
        kind: "staticPayment",
        channelKeysId,
        csvOne: toRemote.witnessScript !== undefined,
      },
    },
  ];
  if (shutdownScript !== undefined) {
    scripts.push({ scriptPubkey: shutdownScript, output: { kind: "static" } });
  }
  if (spend?.kind === "holder" && spend.perCommitmentPoint !== undefined) {
    const keys = holderKeys(work.ctx, parameters, spend.perCommitmentPoint);
    const contestDelay = parameters.counterpartySelectedContestDelay;
    const script = toLocalScript(
      keys.revocationPubkey,
      contestDelay,
      keys.broadcasterDelayedPubkey,
    );
    scripts.push({
      scriptPubkey: p2wsh(script),
      output: {
        kind: "delayedPayment",
        perCommitmentPoint: spend.perCommitmentPoint,
        contestDelay,
        revocationPubkey: keys.revocationPubkey,
        channelKeysId,
      },
    });
  }
  return scripts;
}
