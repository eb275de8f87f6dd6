/**
 * What is claimed on chain for a channel, as others may see it: outputs with the transaction that is out
 * for each, and transactions that wait for a wallet's fee.
 */
import { sat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import { outpointKey, type Txid } from "@farwatch/protocol/ids";
import { bumpRequests } from "../monitor/bumps/bump-requests.js";
import type { BumpRequest } from "../monitor/effect.js";
import { isSpent } from "../monitor/htlcs.js";
import { outstanding } from "../monitor/outstanding.js";
import type { MonitorState } from "../monitor/state.js";
import type { Core } from "./core.js";
import { causeOf } from "./error-cause.js";
import type { OpenBump, OpenClaim } from "./monitor-host.js";

export function openClaims(core: Core, state: MonitorState): readonly OpenClaim[] {
  if (state.claims.length === 0 && state.holderHtlcClaims.length === 0) return [];
  const out = publishedBy(core, state);
  const claims = state.claims.flatMap((claim) =>
    claim.inputs.map(({ outpoint, kind, valueSat, notBefore, deadline }): OpenClaim => ({
      ...{ outpoint, kind, valueSat, notBefore, deadline, claim },
      txid: out.get(outpointKey(outpoint)),
      feeratePerKw: claim.feeratePerKw,
      spent: isSpent(state, outpoint),
    })),
  );
  return [...claims, ...secondStages(state, out)];
}

function secondStages(state: MonitorState, out: ReadonlyMap<string, Txid>): readonly OpenClaim[] {
  return state.holderHtlcClaims.map(({ commitmentTxid, outputIndex, htlc, preimage }) => {
    const outpoint = { txid: commitmentTxid, vout: outputIndex };
    const contested = !htlc.offered && preimage !== undefined;
    return {
      outpoint,
      kind: htlc.offered ? "holderHtlcTimeout" : "holderHtlcSuccess",
      valueSat: sat(htlc.amountMsat / 1000n),
      txid: out.get(outpointKey(outpoint)),
      feeratePerKw: state.confirmedHolder?.feeratePerKw,
      claim: undefined,
      notBefore: htlc.offered ? htlc.cltvExpiry : blockHeight(0),
      deadline: contested ? htlc.cltvExpiry : undefined,
      spent: isSpent(state, outpoint),
    };
  });
}

/** By outpoint key. */
const publishedBy = (core: Core, state: MonitorState): ReadonlyMap<string, Txid> =>
  new Map(
    orNothing(core, () => outstanding(core.context, state)).flatMap(({ txid, spends }) =>
      spends.map((outpoint) => [outpointKey(outpoint), txid] as const),
    ),
  );

export function openBumps(core: Core, state: MonitorState): readonly OpenBump[] {
  const timers = new Map(state.bumps.map(({ claimId, nextBumpAt }) => [claimId, nextBumpAt]));
  return orNothing(core, () => bumpRequests(core.context, state)).map((request) => ({
    claimId: request.claimId,
    kind: request.kind,
    targetFeerate: request.targetFeerate,
    nextBumpAt: timers.get(request.claimId),
    ...spentAndPaid(request),
  }));
}

function spentAndPaid(request: BumpRequest): Pick<OpenBump, "outpoints" | "maxFeeSat"> {
  if (request.kind === "commitment") {
    const { anchor, maxFeeSat } = request;
    return { outpoints: anchor === undefined ? [] : [anchor.outpoint], maxFeeSat };
  }
  const { htlcs } = request;
  return {
    outpoints: htlcs.map(({ input }) => input.outpoint),
    maxFeeSat: sat(htlcs.reduce((sum, { maxFeeSat }) => sum + maxFeeSat, 0n)),
  };
}

/** A channel that cannot be built is shown all the same. */
function orNothing<T>(core: Core, build: () => readonly T[]): readonly T[] {
  try {
    return build();
  } catch (error) {
    core.deps.log.error({ cause: causeOf(error) }, "outstanding transactions cannot be built");
    return [];
  }
}
