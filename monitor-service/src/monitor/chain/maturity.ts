/**
 * What happens when a waiting fact is deep enough (onchain-engine 5.4). In order of maturity. A fact may
 * mature again after a deep reorganisation: what it says is told once.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { EventOrigin, SpendableOutput } from "@farwatch/protocol/event";
import { outpointKey } from "@farwatch/protocol/ids";
import type { WaitingFact } from "../state.js";
import { change, emit, failOutbound, type Work } from "../work.js";
import { settleFact, settleOutput } from "./settled.js";

export function matureFacts(work: Work): void {
  const height = work.state.best.height;
  const due = work.state.waiting.filter(({ matureAt }) => matureAt <= height);
  if (due.length === 0) return;
  change(work, { waiting: work.state.waiting.filter(({ matureAt }) => matureAt > height) });
  for (const fact of [...due].sort((a, b) => a.matureAt - b.matureAt)) mature(work, fact);
}

function mature(work: Work, waiting: WaitingFact): void {
  const { fact, txid, block } = waiting;
  settleFact(work, waiting);
  switch (fact.kind) {
    case "fundingSpend": {
      const { spend } = work.state;
      if (spend?.txid === txid) change(work, { spend: { ...spend, final: true } });
      return;
    }
    case "htlcFailure":
      failOutbound(work, fact.htlc, { kind: "chain", txid, block });
      return;
    case "outputResolved":
      settleOutput(work, fact.outpoint);
      return;
    case "spendable":
      tellSpendable(work, fact.output, { kind: "chain", txid, block });
      return;
    default:
      assertNever(fact);
  }
}

function tellSpendable(work: Work, output: SpendableOutput, origin: EventOrigin): void {
  const { toldSpendable } = work.state;
  const key = outpointKey(output.outpoint);
  if (toldSpendable.has(key)) return;
  change(work, { toldSpendable: new Set(toldSpendable).add(key) });
  emit(work, { kind: "spendableOutputs", outputs: [output] }, origin);
}
