/** Outputs of ours that are confirmed and not yet deep enough to be told as spendable. */
import type { BlockHeight } from "@farwatch/protocol/block";
import type { SpendableOutput } from "@farwatch/protocol/event";
import type { Outpoint, Txid } from "@farwatch/protocol/ids";
import type { MonitorState } from "../state.js";

export interface MaturingOutput {
  readonly output: SpendableOutput;
  readonly txid: Txid;
  /** Every input of the transaction that made it. */
  readonly spends: readonly Outpoint[];
  readonly matureAt: BlockHeight;
}

export const maturingOutputs = (state: MonitorState): readonly MaturingOutput[] =>
  state.waiting.flatMap(({ fact, txid, matureAt }) =>
    fact.kind === "spendable" ? [{ output: fact.output, spends: fact.spends, txid, matureAt }] : [],
  );
