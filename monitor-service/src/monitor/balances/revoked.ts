/**
 * Balances after a revoked commitment confirmed (onchain-engine 11, "Revoked"): every output of the
 * cheater's counts until our justice transaction confirms, then what that pays us until it is deep.
 * An HTLC taken to its second stage still counts with the HTLC's amount, once.
 */
import { msatToSatFloor, type Sat } from "@farwatch/protocol/amount";
import { outpointKey } from "@farwatch/protocol/ids";
import type { FundingSpend, MonitorState, TrackedOutput } from "../state.js";
import type { Balance } from "./balance.js";
import { toRemote } from "./closed.js";
import { maturingOutputs } from "./maturing.js";

export function balancesOfRevokedClose(
  state: MonitorState,
  spend: FundingSpend,
): readonly Balance[] {
  const justice = maturingOutputs(state).filter(({ output }) => output.output.kind === "static");
  const taken = new Set(justice.flatMap(({ spends }) => spends.map(outpointKey)));
  const movedOn = new Set(state.tracked.flatMap(parentKey));
  const open = state.tracked.filter(({ outpoint }) => {
    const key = outpointKey(outpoint);
    return !taken.has(key) && !movedOn.has(key);
  });
  return [
    ...toRemote(state, spend),
    ...open.flatMap(stillClaimable),
    ...justice.map(({ output, matureAt }): Balance => ({
      kind: "claimableAwaitingConfirmations",
      amountSat: output.valueSat,
      confirmationHeight: matureAt,
      source: "counterpartyForceClosed",
    })),
  ];
}

const parentKey = ({ role }: TrackedOutput): readonly string[] =>
  role.kind === "revoked" && role.parent !== undefined ? [outpointKey(role.parent)] : [];

function stillClaimable({ role }: TrackedOutput): readonly Balance[] {
  const amountSat = worthSat(role);
  return amountSat === undefined ? [] : [{ kind: "counterpartyRevokedOutputClaimable", amountSat }];
}

/** What a tracked output of a revoked commitment stands for. */
function worthSat(role: TrackedOutput["role"]): Sat | undefined {
  switch (role.kind) {
    case "htlc":
      return msatToSatFloor(role.htlc.amountMsat);
    case "revoked":
      return role.worthSat;
    case "secondStage":
    case "unidentified":
      return undefined;
  }
}
