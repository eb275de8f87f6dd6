/** What happens when a waiting fact is deep enough (onchain-engine 5.4). In order of maturity. */
import { assertNever } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import type { WaitingFact } from "../state.js";
import { change, emit, failOutbound, type Work } from "../work.js";

export function matureFacts(work: Work): void {
  const height = work.state.best.height;
  const due = work.state.waiting.filter(({ matureAt }) => matureAt <= height);
  if (due.length === 0) return;
  change(work, { waiting: work.state.waiting.filter(({ matureAt }) => matureAt > height) });
  for (const fact of [...due].sort((a, b) => a.matureAt - b.matureAt)) mature(work, fact);
}

function mature(work: Work, { fact, txid, block }: WaitingFact): void {
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
      forget(work, outpointKey(fact.outpoint));
      return;
    case "spendable":
      emit(
        work,
        { kind: "spendableOutputs", outputs: [fact.output] },
        { kind: "chain", txid, block },
      );
      return;
    default:
      assertNever(fact);
  }
}

/** The output's spend is irreversible: nothing of ours may spend it any more. */
function forget(work: Work, key: string): void {
  const { state } = work;
  const spends = new Map(state.outputSpends);
  spends.delete(key);
  change(work, {
    tracked: state.tracked.filter(({ outpoint }) => outpointKey(outpoint) !== key),
    outputSpends: spends,
    claims: state.claims
      .map((claim) => ({
        ...claim,
        inputs: claim.inputs.filter(({ outpoint }) => outpointKey(outpoint) !== key),
      }))
      .filter(({ inputs }) => inputs.length > 0),
    holderHtlcClaims: state.holderHtlcClaims.filter(
      ({ commitmentTxid, outputIndex }) =>
        outpointKey({ txid: commitmentTxid, vout: outputIndex }) !== key,
    ),
  });
}
