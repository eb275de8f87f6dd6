/**
 * A block: commitments of ours that it holds, spends of what our penalties take, and what has become 6
 * deep. A penalty that confirmed pays what it says (SpendableOutputs); an output that somebody else took is
 * told as PenaltyOvertaken.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import type { BlockPoint } from "@farwatch/protocol/block";
import type { SpendableOutput } from "@farwatch/protocol/event";
import { outpointKey, type Txid } from "@farwatch/protocol/ids";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";
import type { ParsedInput, ParsedTx } from "../../tx/parsed-tx.js";
import { ANTI_REORG_DELAY } from "../constants.js";
import type { PenaltyInput } from "./input.js";
import { commitmentSeen } from "./seen.js";
import { spendKey, type PenaltySpend, type SeenCommitment } from "./state.js";
import { change, emit, putSeen, type PenaltyWork } from "./work.js";

type Block = Extract<PenaltyInput, { kind: "blockConnected" }>;

export function connectPenaltyBlock(work: PenaltyWork, input: Block): void {
  const { block, found, transactions } = input;
  change(work, { best: block });
  for (const [txid, steps] of byCommitment(found)) {
    commitmentSeen(work, steps, block, { kind: "chain", txid, block });
  }
  for (const tx of transactions) noteSpends(work, tx, block);
  for (const seen of work.state.seen) tellDeepSpends(work, seen);
}

function byCommitment(
  found: readonly PenaltyTransactionStep[],
): ReadonlyMap<Txid, readonly PenaltyTransactionStep[]> {
  const groups = new Map<Txid, PenaltyTransactionStep[]>();
  for (const step of found) {
    const group = groups.get(step.commitmentTxid) ?? [];
    group.push(step);
    groups.set(step.commitmentTxid, group);
  }
  return groups;
}

function noteSpends(work: PenaltyWork, tx: ParsedTx, block: BlockPoint): void {
  for (const seen of work.state.seen) {
    const spends = tx.inputs.flatMap((input) => spendOf(seen, tx, input, block));
    if (spends.length === 0) continue;
    const spent = new Set(spends.map(({ outpoint }) => outpointKey(outpoint)));
    const others = seen.spends.filter(({ outpoint }) => !spent.has(outpointKey(outpoint)));
    putSeen(work, { ...seen, spends: [...others, ...spends] });
  }
}

function spendOf(
  seen: SeenCommitment,
  tx: ParsedTx,
  input: ParsedInput,
  block: BlockPoint,
): readonly PenaltySpend[] {
  const key = outpointKey(input.outpoint);
  const takers = seen.penalties.flatMap((penalty) =>
    penalty.tx.inputs.filter(({ outpoint }) => outpointKey(outpoint) === key),
  );
  if (takers.length === 0) return [];
  const ours = seen.penalties.some((penalty) => penalty.tx.txid === tx.txid);
  return [
    {
      outpoint: input.outpoint,
      txid: tx.txid,
      block,
      pays: ours ? tx.outputs : undefined,
      byRevocationKey: takers.some((taker) => takesSamePath(taker, input)),
    },
  ];
}

/** All of the witness but the signature, which stands first: branch or key, and script (BOLT 3). */
const takesSamePath = (one: ParsedInput, other: ParsedInput): boolean =>
  one.witness.length === other.witness.length &&
  one.witness
    .slice(1)
    .every((item, index) => equalBytes(item, other.witness[index + 1] ?? new Uint8Array()));

function tellDeepSpends(work: PenaltyWork, seen: SeenCommitment): void {
  const { height } = work.state.best;
  const deep = seen.spends.filter(
    (spend) =>
      spend.block.height + ANTI_REORG_DELAY - 1 <= height && !seen.told.includes(spendKey(spend)),
  );
  if (deep.length === 0) return;
  for (const spend of deep) if (spend.pays === undefined) tellOvertaken(work, seen, spend);
  const confirmed = new Map(
    deep.flatMap((spend) => (spend.pays === undefined ? [] : [[spend.txid, spend] as const])),
  );
  for (const spend of confirmed.values()) tellPaid(work, spend);
  putSeen(work, { ...seen, told: [...seen.told, ...deep.map(spendKey)] });
}

function tellPaid(work: PenaltyWork, { txid, block, pays = [] }: PenaltySpend): void {
  const outputs = pays.map(({ valueSat, scriptPubkey }, vout): SpendableOutput => ({
    outpoint: { txid, vout },
    valueSat,
    scriptPubkey,
    output: { kind: "static" },
  }));
  emit(work, { kind: "spendableOutputs", outputs }, { kind: "chain", txid, block });
}

function tellOvertaken(
  work: PenaltyWork,
  { commitmentTxid, commitmentNumber }: SeenCommitment,
  { outpoint, txid, block, byRevocationKey }: PenaltySpend,
): void {
  const which = { commitmentTxid, commitmentNumber, outpoint };
  const body = { kind: "penaltyOvertaken", ...which, spentBy: txid, byRevocationKey } as const;
  emit(work, body, { kind: "chain", txid, block });
}
