/**
 * Both sides locked one of the pending fundings (LDK `promote_funding`; onchain-engine 4.2): it is the
 * channel's funding from now on. The others are kept aside, since a reorganisation may still bring one
 * back, but nothing is signed for them any more.
 */
import type { Txid } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { discard, followConfirmedFunding } from "../chain/alternative-funding.js";
import { isClosing } from "../htlcs.js";
import type { ReceivedUpdate } from "../input.js";
import { scopeFields } from "../scopes.js";
import { change, type Work } from "../work.js";

export function lockFunding(
  work: Work,
  update: ReceivedUpdate,
  fundingTxid: Txid,
): Result<void, Refusal> {
  const { state } = work;
  const locked = state.pendingFundings.find(
    ({ parameters }) => parameters.funding.txid === fundingTxid,
  );
  if (locked === undefined) {
    return err(refuse("malformed", "no pending funding has this txid", { field: "funding_txid" }));
  }
  // An open channel's node knows by itself which of its fundings are void (LDK tells only then, too).
  if (isClosing(state)) {
    discard(work, fundingTxid, { kind: "update", updateId: update.updateId });
  }
  const { alternativeFunding } = state;
  const isInChain = alternativeFunding?.txid === fundingTxid;
  change(work, {
    ...scopeFields(locked),
    pendingFundings: [],
    retiredFundings: [
      ...state.retiredFundings,
      scopeFields(state),
      ...state.pendingFundings.filter((scope) => scope !== locked).map(scopeFields),
    ],
    alternativeFunding: isInChain ? undefined : alternativeFunding,
    fundingConfirmedAt: isInChain ? alternativeFunding.block.height : undefined,
  });
  followConfirmedFunding(work);
  return ok(undefined);
}
