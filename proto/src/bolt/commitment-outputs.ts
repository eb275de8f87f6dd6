/**
 * The outputs of a commitment transaction and their order (BOLT 3, "Commitment Transaction
 * Outputs" and "Transaction Output Ordering"; BOLT PR 1228, "shared_anchor"). Amounts are final here:
 * commitment-tx.ts decides fee and trimming; only a shared anchor takes what they leave.
 */
import type { Msat, Sat } from "../amount.js";
import { msatToSatFloor, sat } from "../amount.js";
import type { BlockDelta, BlockHeight } from "../block.js";
import { compareBytes } from "../bytes.js";
import type { CommitmentNumber, Outpoint, PaymentHash } from "../ids.js";
import {
  ANCHOR_SAT,
  channelTypeRules,
  SHARED_ANCHOR_MAX_SAT,
  type ChannelType,
} from "./channel-type.js";
import type { CommitmentKeys } from "./keys.js";
import {
  anchorScript,
  htlcWitnessScript,
  p2wsh,
  SHARED_ANCHOR_SCRIPT,
  toLocalScript,
  toRemoteOutput,
} from "./scripts.js";

export interface CommitmentHtlcOutput {
  /** By the broadcaster. */
  readonly offered: boolean;
  readonly amountMsat: Msat;
  readonly cltvExpiry: BlockHeight;
  readonly paymentHash: PaymentHash;
}

/** What both ways of building need. */
export interface CommitmentIdentity {
  readonly channelType: ChannelType;
  readonly fundingOutpoint: Outpoint;
  readonly fundingValueSat: Sat;
  readonly commitmentNumber: CommitmentNumber;
  readonly obscureFactor: bigint;
  readonly keys: CommitmentKeys;
  readonly broadcasterFundingPubkey: Uint8Array;
  readonly countersignatoryFundingPubkey: Uint8Array;
  /** Delay imposed on the broadcaster's own outputs. */
  readonly contestDelay: BlockDelta;
}

/** An HTLC and what decides whether and where it stands. */
export interface PlacedHtlc {
  readonly htlc: CommitmentHtlcOutput;
  /** Position in the list given by the caller. */
  readonly i: number;
  /** Order among outputs that are identical. */
  readonly tieBreak: number;
  /** Not trimmed. */
  readonly kept: boolean;
}

export type OutputRole =
  "toLocal" | "toRemote" | "toLocalAnchor" | "toRemoteAnchor" | "sharedAnchor" | PlacedHtlc;

export interface PlannedOutput {
  readonly role: OutputRole;
  readonly valueSat: Sat;
  readonly scriptPubkey: Uint8Array;
}

/** All outputs of a commitment in their final order; values of 0 leave the main outputs out. */
export function planOutputs(
  identity: CommitmentIdentity,
  toBroadcasterSat: Sat,
  toCountersignatorySat: Sat,
  htlcs: readonly PlacedHtlc[],
): readonly PlannedOutput[] {
  const kept = htlcs.filter((placed) => placed.kept);
  const outputs = [
    ...mainOutputs(identity, toBroadcasterSat, toCountersignatorySat, kept.length > 0),
    ...kept.map((placed) => htlcOutput(identity, placed)),
  ];
  return [...outputs, ...sharedAnchor(identity, outputs)].sort(compareOutputs);
}

/** The same outputs in their order when the main ones, those that are there, have other values. */
export function revalued(
  identity: CommitmentIdentity,
  outputs: readonly PlannedOutput[],
  toBroadcasterSat: Sat,
  toCountersignatorySat: Sat,
): readonly PlannedOutput[] {
  const others = outputs
    .filter(({ role }) => role !== "sharedAnchor")
    .map((output) => {
      if (output.role === "toLocal") return { ...output, valueSat: toBroadcasterSat };
      return output.role === "toRemote" ? { ...output, valueSat: toCountersignatorySat } : output;
    });
  return [...others, ...sharedAnchor(identity, others)].sort(compareOutputs);
}

/** Outputs that exceed the channel leave nothing to the anchor; who checks values refuses them. */
function sharedAnchor(
  { channelType, fundingValueSat }: CommitmentIdentity,
  others: readonly PlannedOutput[],
): readonly PlannedOutput[] {
  if (channelTypeRules(channelType).anchors !== "p2a") return [];
  const left = leftOver(others, fundingValueSat);
  const capped = left > SHARED_ANCHOR_MAX_SAT ? SHARED_ANCHOR_MAX_SAT : left;
  const valueSat = sat(capped < 0n ? 0n : capped);
  return [{ role: "sharedAnchor", valueSat, scriptPubkey: SHARED_ANCHOR_SCRIPT }];
}

/** Funding value minus outputs; negative when the outputs exceed it. */
export const leftOver = (outputs: readonly PlannedOutput[], fundingValueSat: Sat): bigint =>
  outputs.reduce((rest: bigint, output) => rest - output.valueSat, fundingValueSat);

/**
 * to_local, to_remote and the keyed anchors; an anchor stands with its side's output or with any HTLC.
 */
function mainOutputs(
  identity: CommitmentIdentity,
  toBroadcasterSat: Sat,
  toCountersignatorySat: Sat,
  hasHtlcs: boolean,
): readonly PlannedOutput[] {
  const { channelType, keys } = identity;
  const toLocal = (): PlannedOutput => ({
    role: "toLocal",
    valueSat: toBroadcasterSat,
    scriptPubkey: p2wsh(
      toLocalScript(keys.revocationPubkey, identity.contestDelay, keys.broadcasterDelayedPubkey),
    ),
  });
  const toRemote = (): PlannedOutput => ({
    role: "toRemote",
    valueSat: toCountersignatorySat,
    scriptPubkey: toRemoteOutput(channelType, keys.countersignatoryPaymentPoint).scriptPubkey,
  });
  const anchor = (
    role: "toLocalAnchor" | "toRemoteAnchor",
    fundingPubkey: Uint8Array,
  ): PlannedOutput => ({
    role,
    valueSat: ANCHOR_SAT,
    scriptPubkey: p2wsh(anchorScript(fundingPubkey)),
  });
  const outputs: PlannedOutput[] = [];
  if (toBroadcasterSat > 0n) outputs.push(toLocal());
  if (toCountersignatorySat > 0n) outputs.push(toRemote());
  if (channelTypeRules(channelType).anchors === "keyed") {
    if (toBroadcasterSat > 0n || hasHtlcs) {
      outputs.push(anchor("toLocalAnchor", identity.broadcasterFundingPubkey));
    }
    if (toCountersignatorySat > 0n || hasHtlcs) {
      outputs.push(anchor("toRemoteAnchor", identity.countersignatoryFundingPubkey));
    }
  }
  return outputs;
}

const htlcOutput = (identity: CommitmentIdentity, placed: PlacedHtlc): PlannedOutput => ({
  role: placed,
  valueSat: msatToSatFloor(placed.htlc.amountMsat),
  scriptPubkey: p2wsh(htlcWitnessScript(identity.channelType, identity.keys, placed.htlc)),
});

/** BIP 69 and, for equal HTLC outputs, cltv_expiry (BOLT 3, "Transaction Output Ordering"). */
function compareOutputs(a: PlannedOutput, b: PlannedOutput): number {
  if (a.valueSat !== b.valueSat) return a.valueSat < b.valueSat ? -1 : 1;
  const byScript = compareBytes(a.scriptPubkey, b.scriptPubkey);
  if (byScript !== 0 || typeof a.role === "string" || typeof b.role === "string") return byScript;
  return a.role.htlc.cltvExpiry - b.role.htlc.cltvExpiry || a.role.tieBreak - b.role.tieBreak;
}
