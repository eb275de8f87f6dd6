/**
 * Which of a channel's fundings is in the chain (onchain-engine 5.2.1, 6.6). A splice transaction spends
 * the old funding without closing the channel: from then on only commitments on the new one can confirm.
 * When we were on our way to the chain, our commitment on the confirmed funding takes over.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import type { EventOrigin } from "@farwatch/protocol/event";
import type { Txid } from "@farwatch/protocol/ids";
import { IRREVOCABLE_DEPTH } from "../constants.js";
import { isClosing } from "../htlcs.js";
import { confirmedScope, holderOn, isOn } from "../scopes.js";
import type { FundingScope, MonitorState } from "../state.js";
import { change, emit, type Work } from "../work.js";
import { isHeldBack, startHolderBroadcast } from "./holder-broadcast.js";
import { isLostWithItsFunding } from "./lost-spend.js";
import { forgetSuspects } from "./suspects.js";
import { matureHeight } from "./waiting.js";

/** The funding transaction of `scope` stands in this block. */
export function onFundingConfirmed(work: Work, scope: FundingScope, block: BlockPoint): void {
  const { funding } = scope.parameters;
  if (work.state.awaitsFunding) change(work, { awaitsFunding: false });
  if (isOn(work.state, funding)) {
    if (work.state.fundingConfirmedAt !== undefined) return;
    change(work, { fundingConfirmedAt: block.height, alternativeFunding: undefined });
  } else {
    change(work, { alternativeFunding: { txid: funding.txid, block } });
  }
  followConfirmedFunding(work);
}

/** The chain ends at `height` now: a funding above it is not confirmed any more. */
export function onFundingsDisconnected(work: Work, height: number): void {
  const { alternativeFunding, fundingConfirmedAt } = work.state;
  if (fundingConfirmedAt !== undefined && fundingConfirmedAt > height) {
    change(work, { fundingConfirmedAt: undefined });
  }
  if (alternativeFunding === undefined || alternativeFunding.block.height <= height) return;
  change(work, { alternativeFunding: undefined });
  followConfirmedFunding(work);
}

/** A commitment on a funding that is not in the chain can never confirm: ours follows the chain. */
export function followConfirmedFunding(work: Work): void {
  const { holderBroadcast } = work.state;
  const scope = confirmedScope(work.state);
  if (holderBroadcast === undefined || isOn(scope, holderBroadcast.funding)) return;
  const { commitment, funding, elsewhere } = holderBroadcast;
  const all = [{ commitment, funding }, ...elsewhere];
  const next = all.find((each) => isOn(scope, each.funding)) ?? holderOn(scope);
  change(work, {
    holderBroadcast: {
      ...holderBroadcast,
      ...next,
      elsewhere: all.filter((each) => each.funding !== next.funding),
    },
  });
}

/** At the end of a block: what the chain has decided about the fundings. */
export function settleFundings(work: Work): void {
  const { state } = work;
  const { spend, alternativeFunding } = state;
  if (spend === undefined && alternativeFunding !== undefined) goOnChainAgain(work);
  if (spend?.final === true) {
    const { txid, block, funding } = spend;
    discard(work, funding.txid, { kind: "chain", txid, block });
  } else if (alternativeFunding !== undefined && isClosing(state) && isDeep(state)) {
    const { txid, block } = alternativeFunding;
    discard(work, txid, { kind: "chain", txid, block });
  }
  forgetRetired(work);
  forgetSuspects(work);
}

/**
 * The channel was closed by a commitment that a reorganisation took away, and another funding confirmed:
 * what closed it can never confirm again, so our commitment on the new funding has to.
 */
function goOnChainAgain(work: Work): void {
  if (!isLostWithItsFunding(work.state) || isHeldBack(work.state)) return;
  startHolderBroadcast(work, { kind: "fundingReplaced" });
}

const isDeep = ({ alternativeFunding, best }: MonitorState): boolean =>
  alternativeFunding !== undefined && matureHeight(alternativeFunding.block.height) <= best.height;

/** Tells once of every pending funding but `confirmed` that it is void. */
export function discard(work: Work, confirmed: Txid, origin: EventOrigin): void {
  const isVoid = ({ parameters, discarded }: MonitorState["pendingFundings"][number]): boolean =>
    !discarded && parameters.funding.txid !== confirmed;
  const losers = work.state.pendingFundings.filter(isVoid);
  if (losers.length === 0) return;
  change(work, {
    pendingFundings: work.state.pendingFundings.map((scope) =>
      isVoid(scope) ? { ...scope, discarded: true } : scope,
    ),
  });
  for (const { parameters } of losers) {
    emit(work, { kind: "discardFunding", funding: parameters.funding }, origin);
  }
}

/** No reorganisation we can follow brings another funding back. */
function forgetRetired(work: Work): void {
  const { retiredFundings, fundingConfirmedAt, best, spend } = work.state;
  if (retiredFundings.length === 0 || fundingConfirmedAt === undefined) return;
  if (best.height < fundingConfirmedAt + IRREVOCABLE_DEPTH) return;
  if (spend !== undefined && !isOn(work.state, spend.funding)) return;
  change(work, { retiredFundings: [] });
}
