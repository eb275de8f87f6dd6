/** Facts seen on chain that count only once they are deep enough (onchain-engine 5.4). */
import { blockHeight, type BlockHeight, type BlockPoint } from "@farwatch/protocol/block";
import { outpointKey, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { ANTI_REORG_DELAY } from "../constants.js";
import type { OutboundHtlc, OutputSpend, TrackedOutput, WaitingFact } from "../state.js";
import { change, withEntry, type Work } from "../work.js";

/** A fact confirmed at height h is 6 deep when the chain reaches h + 5. */
export const matureHeight = (seenAt: BlockHeight): BlockHeight =>
  blockHeight(seenAt + ANTI_REORG_DELAY - 1);

/** Output under a relative timelock: spendable in the block after h + csv - 1, and never before 6 deep. */
export const matureAfterCsv = (seenAt: BlockHeight, csv: number): BlockHeight =>
  blockHeight(Math.max(matureHeight(seenAt), seenAt + csv - 1));

export function wait(
  work: Work,
  txid: Txid,
  block: BlockPoint,
  fact: WaitingFact["fact"],
  matureAt: BlockHeight = matureHeight(block.height),
): void {
  change(work, { waiting: [...work.state.waiting, { txid, block, matureAt, fact }] });
}

/** Schedules the failure of an outbound HTLC; a newer fact about the same HTLC replaces the older. */
export function waitForFailure(
  work: Work,
  htlc: OutboundHtlc,
  txid: Txid,
  block: BlockPoint,
  outpoint: Outpoint | undefined,
): void {
  const key = htlc.source.sourceKey;
  const others = work.state.waiting.filter(
    ({ fact }) => fact.kind !== "htlcFailure" || fact.htlc.source.sourceKey !== key,
  );
  change(work, { waiting: others });
  wait(work, txid, block, { kind: "htlcFailure", htlc, outpoint });
}

export function track(work: Work, outputs: readonly TrackedOutput[]): void {
  const { tracked, settled } = work.state;
  const known = new Set(
    [...tracked, ...settled.tracked].map(({ outpoint }) => outpointKey(outpoint)),
  );
  const added = outputs.filter(({ outpoint }) => !known.has(outpointKey(outpoint)));
  if (added.length > 0) change(work, { tracked: [...tracked, ...added] });
}

export function recordSpend(
  work: Work,
  outpoint: Outpoint,
  block: BlockPoint,
  spender: Pick<OutputSpend, "txid" | "byPreimage">,
): void {
  const key = outpointKey(outpoint);
  const { txid, byPreimage } = spender;
  const entry = { txid, height: block.height, byPreimage };
  change(work, { outputSpends: withEntry(work.state.outputSpends, key, entry) });
  wait(work, txid, block, { kind: "outputResolved", outpoint });
}
