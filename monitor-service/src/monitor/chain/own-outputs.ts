/**
 * Outputs that only keys of this channel can spend: our to_remote and our delayed outputs. They are told
 * as spendable and then watched for their spend, by the node or by the monitor's own sweep, until that is
 * 100 deep. What is paid to the destination or shutdown script belongs to a wallet and is not among them.
 */
import type { BlockHeight, BlockPoint } from "@farwatch/protocol/block";
import type { SpendableOutput } from "@farwatch/protocol/event";
import { outpointKey } from "@farwatch/protocol/ids";
import type { ParsedTx } from "../../tx/parsed-tx.js";
import { IRREVOCABLE_DEPTH } from "../constants.js";
import type { MonitorState, OwnOutput } from "../state.js";
import { change, type Work } from "../work.js";

export function addOwnOutput(
  work: Work,
  output: SpendableOutput,
  createdAt: BlockHeight,
  matureAt: BlockHeight,
): void {
  if (output.output.kind === "static") return;
  const { ownOutputs } = work.state;
  const key = outpointKey(output.outpoint);
  if (ownOutputs.some((known) => outpointKey(known.output.outpoint) === key)) return;
  change(work, { ownOutputs: [...ownOutputs, { output, createdAt, matureAt, spend: undefined }] });
}

/** Whoever spends them: they are spent. */
export function recordOwnSpends(work: Work, { txid, inputs }: ParsedTx, block: BlockPoint): void {
  const { ownOutputs } = work.state;
  if (ownOutputs.length === 0) return;
  const spent = new Set(inputs.map(({ outpoint }) => outpointKey(outpoint)));
  const isSpent = ({ output, spend }: OwnOutput): boolean =>
    spend === undefined && spent.has(outpointKey(output.outpoint));
  if (!ownOutputs.some(isSpent)) return;
  const spend = { txid, height: block.height };
  change(work, {
    ownOutputs: ownOutputs.map((own) => (isSpent(own) ? { ...own, spend } : own)),
  });
}

/** As they are when the chain ends at `height`; the same list when that changes nothing. */
export function ownOutputsAt(
  { ownOutputs }: Pick<MonitorState, "ownOutputs">,
  height: BlockHeight,
): readonly OwnOutput[] {
  const at = ownOutputs
    .filter(({ createdAt }) => createdAt <= height)
    .map((own) =>
      own.spend !== undefined && own.spend.height > height ? { ...own, spend: undefined } : own,
    );
  const isSame = at.length === ownOutputs.length && at.every((own, i) => own === ownOutputs[i]);
  return isSame ? ownOutputs : at;
}

export function forgetOwnOutputs(work: Work): void {
  const { ownOutputs, best } = work.state;
  const kept = ownOutputs.filter(
    ({ spend }) => spend === undefined || spend.height + IRREVOCABLE_DEPTH > best.height,
  );
  if (kept.length !== ownOutputs.length) change(work, { ownOutputs: kept });
}
