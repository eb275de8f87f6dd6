/**
 * Opens, raises and ends the claims whose fee a wallet brings: our commitment on anchor channels, then
 * its second stages (onchain-engine 9.2 to 9.5). After every step, so that a preimage or an operator's
 * command acts at once. HTLCs share a claim when they have one locktime and are equally easy to pin.
 */
import { must } from "@farwatch/protocol/assert";
import { blockHeight, type BlockHeight } from "@farwatch/protocol/block";
import { outpointKey } from "@farwatch/protocol/ids";
import { channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import { PINNABLE_WITHIN_BLOCKS } from "../../tx/package.js";
import { nextPackageFeerate } from "../../tx/package-feerate.js";
import { nextBump } from "../claims/fees.js";
import { minCltvExpiryDelta } from "../constants.js";
import { readyHolderHtlcs, type ReadyHtlc } from "../ready-htlcs.js";
import { liveHtlcs } from "../htlcs.js";
import { wantsHolderCommitment } from "../chain/holder-broadcast.js";
import type { Bump, MonitorState } from "../state.js";
import { change, type Work } from "../work.js";
import { commitmentClaimId, htlcClaimId } from "./claim-id.js";

export function refreshBumps(work: Work): void {
  const { state } = work;
  const bumps = [...commitmentBumps(state), ...htlcBumps(state)];
  const same =
    bumps.length === state.bumps.length &&
    bumps.every((bump, index) => bump === state.bumps[index]);
  if (!same) change(work, { bumps });
}

function commitmentBumps(state: MonitorState): readonly Bump[] {
  const { channelType } = state.parameters;
  if (!wantsHolderCommitment(state)) return [];
  if (channelTypeRules(channelType).anchors === "none") return [];
  const { txid } = must(state.holderBroadcast, "wanted").commitment;
  const claimId = commitmentClaimId(txid);
  const known = state.bumps.find((bump) => bump.claimId === claimId);
  const every = blockHeight(state.best.height + 1);
  if (known !== undefined) return [raised(state, known, every)];
  return [opened(state, { claimId, of: { kind: "commitment" } }, every)];
}

function htlcBumps(state: MonitorState): readonly Bump[] {
  const { channelType } = state.parameters;
  if (state.holderHtlcClaims.length === 0) return [];
  if (channelTypeRules(channelType).secondStagePaysFee) return [];
  const ready = new Map(readyHolderHtlcs(state).map((item) => [outpointKey(item.outpoint), item]));
  const exists = new Set(
    state.holderHtlcClaims.map(({ commitmentTxid, outputIndex }) =>
      outpointKey({ txid: commitmentTxid, vout: outputIndex }),
    ),
  );
  const open = state.bumps.flatMap((bump) => {
    if (bump.of.kind !== "htlcs") return [];
    const keys = bump.of.outpoints.map(outpointKey);
    // Spent but not yet for good: the claim rests, and goes on if a reorg takes the spend back.
    if (!keys.some((key) => exists.has(key))) return [];
    const members = keys.flatMap((key) => ready.get(key) ?? []);
    for (const key of keys) ready.delete(key);
    return [members.length === 0 ? bump : raised(state, bump, htlcTimer(state, members))];
  });
  return [
    ...open,
    ...groups(state, [...ready.values()]).map((members) => openedHtlcs(state, members)),
  ];
}

function openedHtlcs(state: MonitorState, members: readonly ReadyHtlc[]): Bump {
  const outpoints = members.map(({ outpoint }) => outpoint).sort((a, b) => a.vout - b.vout);
  const claim = { claimId: htlcClaimId(outpoints), of: { kind: "htlcs", outpoints } } as const;
  return opened(state, claim, htlcTimer(state, members));
}

function opened(
  state: MonitorState,
  claim: Pick<Bump, "claimId" | "of">,
  timer: BlockHeight,
): Bump {
  const feeratePerKw = nextPackageFeerate(estimateFor(state), undefined, "force");
  return { ...claim, feeratePerKw, nextBumpAt: timer };
}

/** With its next feerate when its timer is due or the estimate is higher; else as it is. */
function raised(state: MonitorState, bump: Bump, timer: BlockHeight): Bump {
  const isDue = state.best.height >= bump.nextBumpAt;
  const strategy = isDue ? "force" : "highest";
  const feeratePerKw = nextPackageFeerate(estimateFor(state), bump.feeratePerKw, strategy);
  if (!isDue && feeratePerKw === bump.feeratePerKw) return bump;
  return { ...bump, feeratePerKw, nextBumpAt: timer };
}

/** LDK `closure_conf_target`: without any HTLC, dust included, nothing runs out of time. */
function estimateFor(state: MonitorState): MonitorState["feerates"]["urgent"] {
  const { urgent, normal } = state.feerates;
  const hasHtlc = state.holderHtlcClaims.length > 0 || !liveHtlcs(state).next().done;
  return hasHtlc ? urgent : normal;
}

function groups(
  state: MonitorState,
  fresh: readonly ReadyHtlc[],
): readonly (readonly ReadyHtlc[])[] {
  const byKind = new Map<string, ReadyHtlc[]>();
  for (const item of fresh) {
    const { htlc } = item.claim;
    const locktime = htlc.offered ? htlc.cltvExpiry : 0;
    const key = `${locktime} ${isPinnable(state, item)}`;
    byKind.set(key, [...(byKind.get(key) ?? []), item]);
  }
  return [...byKind.values()];
}

/** The counterparty can spend it too, now or soon (9.2). A refund competes with a preimage from the start. */
function isPinnable({ best }: MonitorState, { claim: { htlc } }: ReadyHtlc): boolean {
  return htlc.offered || htlc.cltvExpiry <= best.height + PINNABLE_WITHIN_BLOCKS;
}

function htlcTimer({ best, parameters }: MonitorState, members: readonly ReadyHtlc[]): BlockHeight {
  const delta = minCltvExpiryDelta(parameters.constantsProfile);
  const deadlines = members.map(({ claim: { htlc } }) =>
    // Until then the refund of a forward is in time for the inbound HTLC.
    htlc.offered ? htlc.cltvExpiry + delta : htlc.cltvExpiry,
  );
  return nextBump(best.height, Math.min(...deadlines));
}
