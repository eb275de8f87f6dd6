/**
 * A reorganisation took the spend of the funding away (onchain-engine 12, "we add"). It is offered again
 * from what we saw; if it does not come back although the node closed the channel, our own commitment
 * goes on chain. Nobody else would end the channel, and HTLCs run out of time. It does so without the
 * node's word when the funding that was spent went too (LDK does at once; a splice mostly comes back).
 */
import { serializeTx, type ParsedTx } from "../../tx/parsed-tx.js";
import { LOST_SPEND_BLOCKS } from "../constants.js";
import type { Publish } from "../effect.js";
import { holderCommitments } from "../htlcs.js";
import { confirmedScope, scopeSpentBy } from "../scopes.js";
import type { MonitorState } from "../state.js";
import type { Work } from "../work.js";
import { isHeldBack, knowsOfNewer, startHolderBroadcast } from "./holder-broadcast.js";

/**
 * The lost spend, for as long as no spend is confirmed. Never a commitment of ours: whether it may go
 * out depends on what was revoked since, and the signer has to say so.
 */
export function lostSpend(state: MonitorState): readonly Publish[] {
  const { spend, seenSpend } = state;
  if (spend !== undefined || seenSpend?.lostAt === undefined) return [];
  const { tx } = seenSpend;
  if (seenSpend.kind === "holder" || isOurs(state)) return [];
  const raw = serializeTx(tx);
  const spends = tx.inputs.map(({ outpoint }) => outpoint);
  return raw === undefined || !mayReturn(state, tx)
    ? []
    : [{ role: "lostFundingSpend", txid: tx.txid, spends, tasks: [], finish: () => raw }];
}

/** The funding it spends is in the chain, or nothing in the chain rules it out. */
function mayReturn(state: MonitorState, tx: ParsedTx): boolean {
  const scope = scopeSpentBy(state, tx);
  if (scope === undefined) return false;
  return state.alternativeFunding === undefined || scope === confirmedScope(state);
}

const isOurs = (state: MonitorState): boolean =>
  holderCommitments(state).some(({ txid }) => txid === state.seenSpend?.tx.txid);

/** Evaluated at every block. */
export function recoverClose(work: Work): void {
  const { spend, seenSpend, lockdown, staleSuspected, best } = work.state;
  if (spend !== undefined || seenSpend?.lostAt === undefined) return;
  if (best.height < seenSpend.lostAt + LOST_SPEND_BLOCKS) return;
  if (isLostWithItsFunding(work.state)) {
    if (!isHeldBack(work.state)) startHolderBroadcast(work, { kind: "fundingReplaced" });
    return;
  }
  if (!lockdown || staleSuspected || !mayCompete(work.state)) return;
  startHolderBroadcast(work, {
    kind: "nodeRequested",
    text: "the spend of the funding was lost in a reorganisation",
  });
}

/**
 * What closed the channel spends a funding that is not the one in the chain: a splice that went with it,
 * or the one that a splice took the place of. However good it was, it cannot confirm there.
 */
export function isLostWithItsFunding(state: MonitorState): boolean {
  const { seenSpend } = state;
  if (seenSpend?.lostAt === undefined) return false;
  const scope = scopeSpentBy(state, seenSpend.tx);
  return scope !== undefined && scope !== confirmedScope(state);
}

/** A mutual close needs no other, a revoked commitment is worth more to us than our own. */
function mayCompete(state: MonitorState): boolean {
  switch (state.seenSpend?.kind) {
    case "holder":
    case "counterparty":
    case "counterpartyPrevious":
      return true;
    case "unknown":
      return !knowsOfNewer(state);
    case "mutual":
    case "revoked":
    case undefined:
      return false;
  }
}
