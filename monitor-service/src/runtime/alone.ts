/**
 * A channel that is not among the monitors yet follows blocks by itself. What its steps tell is gathered
 * and let out only when it joins, in the transaction that makes it durable.
 */
import { assert } from "@farwatch/protocol/assert";
import type { BlockPoint } from "@farwatch/protocol/block";
import type { Txid } from "@farwatch/protocol/ids";
import { FLOOR_FEERATES } from "../monitor/constants.js";
import type { MonitorContext } from "../monitor/context.js";
import type { Transition } from "../monitor/effect.js";
import type { StoredCommitment } from "../monitor/input.js";
import { scopeSpentBy } from "../monitor/scopes.js";
import type { MonitorState } from "../monitor/state.js";
import { step } from "../monitor/step.js";
import { parseTx, type ParsedTx } from "../tx/parsed-tx.js";

/** A commitment that only the first state carries, by its txid. */
type FirstCommitments = (txid: Txid, state: MonitorState) => StoredCommitment | undefined;

/** A channel on its way to our tip. */
export interface Alone {
  readonly first: MonitorState;
  /** Leads from `first` to the block it has come to. */
  readonly now: Transition;
  readonly stored: FirstCommitments;
}

/** `told`: what it has to say before any block, and the state after that. */
export const startAlone = (
  first: MonitorState,
  stored: FirstCommitments,
  told: Pick<Transition, "state" | "events" | "relays"> = { state: first, events: [], relays: [] },
): Alone => ({
  first,
  now: {
    state: told.state,
    events: told.events,
    relays: told.relays,
    persist: true,
    afterClose: false,
  },
  stored,
});

/** Throws when the channel breaks an invariant: no block can be refused. */
export function connectAlone(
  context: MonitorContext,
  channel: Alone,
  block: BlockPoint,
  transactions: readonly Uint8Array[],
): Alone {
  const { state: before } = channel.now;
  const parsed = transactions.map(parseTx);
  const result = step(context, before, {
    kind: "blockConnected",
    block,
    transactions: parsed,
    storedCommitments: storedFor(channel, parsed),
    feerates: FLOOR_FEERATES,
  });
  assert(result.ok, "a block is not refused");
  const { state, events, relays } = result.value;
  const now = {
    ...channel.now,
    state,
    events: [...channel.now.events, ...events],
    relays: [...channel.now.relays, ...relays],
  };
  return { ...channel, now };
}

function storedFor(
  { stored, now: { state } }: Alone,
  transactions: readonly ParsedTx[],
): ReadonlyMap<Txid, StoredCommitment> {
  return new Map(
    transactions.flatMap((tx) => {
      const found = scopeSpentBy(state, tx) === undefined ? undefined : stored(tx.txid, state);
      return found === undefined ? [] : [[tx.txid, found] as const];
    }),
  );
}
