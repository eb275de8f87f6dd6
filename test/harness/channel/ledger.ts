/**
 * Which HTLCs, balances and feerate a commitment has, given which changes of each side it includes
 * (BOLT 2, "Normal Operation"). A change waits in its proposer's log; a commitment includes a prefix of
 * each log. Amounts are before fees. Pure.
 */
import { msat, type FeeratePerKw, type Msat } from "@farwatch/protocol/amount";
import { assert, assertNever } from "@farwatch/protocol/assert";
import type { BlockHeight } from "@farwatch/protocol/block";
import type { HtlcSource } from "@farwatch/protocol/channel";
import type { HtlcId, PaymentHash, Preimage } from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import { bySide, otherSide, SIDES, type Side } from "./setup.js";

/** An HTLC as both sides name it: ids count per offerer from 0. */
export interface HtlcRef {
  readonly offeredBy: Side;
  readonly id: HtlcId;
}

export interface Htlc extends HtlcRef {
  readonly amountMsat: Msat;
  readonly cltvExpiry: BlockHeight;
  readonly paymentHash: PaymentHash;
  /** Known to the offerer only. */
  readonly source: HtlcSource;
  /** Kept by the forwarder beyond its fee, of an HTLC it intercepted. */
  readonly skimmedFeeMsat?: Msat;
}

export type Removal =
  | { readonly kind: "fulfill"; readonly htlc: Htlc; readonly preimage: Preimage }
  | { readonly kind: "fail"; readonly htlc: Htlc; readonly reason: HtlcFailReason };

export type Change =
  | { readonly kind: "add"; readonly htlc: Htlc }
  | Removal
  | { readonly kind: "fee"; readonly feeratePerKw: FeeratePerKw };

export type Logs = Readonly<Record<Side, readonly Change[]>>;
/** How many changes of each log are included. */
export type Included = Readonly<Record<Side, number>>;

export interface LedgerState {
  readonly included: Included;
  readonly balanceMsat: Readonly<Record<Side, Msat>>;
  /** In the order they were included. */
  readonly htlcs: readonly Htlc[];
  readonly feeratePerKw: FeeratePerKw;
}

export const sameHtlc = (a: HtlcRef, b: HtlcRef): boolean =>
  a.offeredBy === b.offeredBy && a.id === b.id;

export const htlcKey = (htlc: HtlcRef): string => `${htlc.offeredBy}:${htlc.id}`;

/** The changes of one log that `to` includes and `from` does not. */
export const newChanges = (logs: Logs, side: Side, from: Included, to: Included) =>
  logs[side].slice(from[side], to[side]);

/** State of the commitment that includes `to`; adds count first, so a removal finds its HTLC. */
export function advance(logs: Logs, state: LedgerState, to: Included): LedgerState {
  for (const side of SIDES) {
    assert(to[side] >= state.included[side], "a commitment includes what the one before included");
  }
  const changes = SIDES.flatMap((side) => newChanges(logs, side, state.included, to));
  const adds = changes.filter((change) => change.kind === "add");
  const others = changes.filter((change) => change.kind !== "add");
  return { ...[...adds, ...others].reduce(applyChange, state), included: to };
}

function applyChange(state: LedgerState, change: Change): LedgerState {
  switch (change.kind) {
    case "add":
      return {
        ...pay(state, change.htlc.offeredBy, -change.htlc.amountMsat),
        htlcs: [...state.htlcs, change.htlc],
      };
    case "fulfill":
      return withoutHtlc(state, change.htlc, otherSide(change.htlc.offeredBy));
    case "fail":
      return withoutHtlc(state, change.htlc, change.htlc.offeredBy);
    case "fee":
      return { ...state, feeratePerKw: change.feeratePerKw };
    default:
      return assertNever(change);
  }
}

function withoutHtlc(state: LedgerState, htlc: Htlc, paidTo: Side): LedgerState {
  const htlcs = state.htlcs.filter((other) => !sameHtlc(other, htlc));
  assert(htlcs.length === state.htlcs.length - 1, "a removal removes one HTLC");
  return { ...pay(state, paidTo, htlc.amountMsat), htlcs };
}

const pay = (state: LedgerState, side: Side, deltaMsat: bigint): LedgerState => ({
  ...state,
  balanceMsat: {
    ...state.balanceMsat,
    [side]: msat(state.balanceMsat[side] + deltaMsat),
  },
});

/**
 * What a side will have at least in every later commitment: the lower of its two latest balances minus
 * the adds it has proposed since. Credits included once are never taken back.
 */
export function lowestBalanceMsat(logs: Logs, latest: readonly LedgerState[], side: Side): bigint {
  const balances = latest.map((state) =>
    logs[side]
      .slice(state.included[side])
      .reduce(
        (rest: bigint, change) => (change.kind === "add" ? rest - change.htlc.amountMsat : rest),
        state.balanceMsat[side],
      ),
  );
  return balances.reduce((lowest, balance) => (balance < lowest ? balance : lowest));
}

/** Every HTLC that is in one of the latest commitments or proposed since. */
export function liveHtlcs(logs: Logs, latest: readonly LedgerState[]): readonly Htlc[] {
  const live = new Map<string, Htlc>();
  for (const state of latest) {
    for (const htlc of state.htlcs) live.set(htlcKey(htlc), htlc);
    for (const side of SIDES) {
      for (const change of logs[side].slice(state.included[side])) {
        if (change.kind === "add") live.set(htlcKey(change.htlc), change.htlc);
      }
    }
  }
  return [...live.values()];
}

/** The highest feerate of the latest commitments and of proposals they do not include yet. */
export function highestFeerate(
  logs: Logs,
  latest: readonly LedgerState[],
  opener: Side,
): FeeratePerKw {
  let highest = latest.map((state) => state.feeratePerKw).reduce((a, b) => (a > b ? a : b));
  for (const state of latest) {
    for (const change of logs[opener].slice(state.included[opener])) {
      if (change.kind === "fee" && change.feeratePerKw > highest) highest = change.feeratePerKw;
    }
  }
  return highest;
}

export const nothingIncluded: Included = bySide(() => 0);
