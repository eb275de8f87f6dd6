/**
 * What a wallet made of a plan becomes ours to publish: checked first (tx/funded-tx.ts), then our inputs
 * are signed over all of it. Whoever the wallet is, bitcoind or a user, nothing is signed unchecked.
 */
import { must } from "@farwatch/protocol/assert";
import { txid as toTxid } from "@farwatch/protocol/ids";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { SIGHASH_ALL } from "@farwatch/protocol/bolt/signature";
import { checkFunded, type FundedTx, type FundingFault } from "../../tx/funded-tx.js";
import { toParsedTx } from "../../tx/parsed-tx.js";
import type { Publish } from "../effect.js";
import type { BumpPlan } from "./bump-plans.js";

export function completeBump(plan: BumpPlan, funded: FundedTx): Result<Publish, FundingFault> {
  const checked = checkFunded(plan, funded);
  if (!checked.ok) return err(checked.error);
  const tx = checked.value;
  const signed = plan.inputs.flatMap(({ signing, valueSat }, index) =>
    signing === undefined ? [] : [{ index, signing, valueSat }],
  );
  return ok({
    role: plan.role,
    txid: toTxid(tx.getId()),
    spends: toParsedTx(tx).inputs.map((input) => input.outpoint),
    tasks: signed.map(({ index, signing: { key, witnessScript }, valueSat }) => ({
      key,
      digest: tx.hashForWitnessV0(index, witnessScript, valueSat, SIGHASH_ALL),
    })),
    finish: (signatures) => {
      for (const [position, { index, signing }] of signed.entries()) {
        tx.setWitness(index, signing.witness(must(signatures[position], "one signature each")));
      }
      return tx.toBuffer();
    },
  });
}
