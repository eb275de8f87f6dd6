/**
 * Decide -> commit -> effects: the whole safety argument. Nobody else commits, nobody else runs effects.
 * Decisions are pipelined: memory may be ahead of the disk, but commits keep their order, and nothing
 * leaves before the commit of the decision that caused it.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { encodeBytesRow, encodeRow, encodeUpdateRow } from "../manager/codec.js";
import type { Tables } from "../manager/draft.js";
import type { Effect } from "../manager/effect.js";
import type { Context, ManagerInput } from "../manager/input.js";
import { step } from "../manager/step.js";
import type { Change } from "../manager/tables.js";
import { StoreFailure, type RowChange } from "../store/store.js";
import type { ManagerDeps } from "./deps.js";
import { applyChanges, isTable, sinksOf } from "./load-tables.js";

export type RunStep = (input: ManagerInput) => Promise<Result<void, Refusal>>;

const opensPoint =
  (curve: Curve): Context["opensPoint"] =>
  (secret, point) =>
    curve.isSecret(secret) && equalBytes(curve.publicKey(secret), point);

/** The decision is taken before the first await; the promise resolves after commit and effects. */
export function createRunStep(
  deps: ManagerDeps,
  tables: Tables,
  runEffect: (effect: Effect) => void,
): RunStep {
  const { managerKey, chainHash, clock, failpoint } = deps;
  const sinks = sinksOf(tables);
  const opens = opensPoint(deps.curve);
  return async (input) => {
    const context = { managerKey, chainHash, nowMs: clock.nowMs(), opensPoint: opens };
    const decided = step(tables, context, input);
    if (!decided.ok) return decided;
    const { changes, effects, refusal } = decided.value;
    applyChanges(sinks, changes);
    if (failpoint !== undefined) await failpoint(`beforeCommit:${input.kind}`);
    // An input that changes nothing still waits: what it repeats may not be on disk yet.
    await commit(deps, changes);
    if (failpoint !== undefined) await failpoint(`afterCommit:${input.kind}`);
    for (const effect of effects) runEffect(effect);
    return refusal === undefined ? ok(undefined) : err(refusal);
  };
}

async function commit(deps: ManagerDeps, changes: readonly Change[]): Promise<void> {
  try {
    await deps.store.transact(changes.map(toRowChange));
  } catch (error) {
    deps.onFatal(error);
    throw error;
  }
}

function toRowChange(change: Change): RowChange {
  const { table, key, row } = change;
  if (!isTable(table)) throw new StoreFailure(`no such table: ${table}`);
  if (row === undefined) return { table, key, value: undefined };
  return { table, key, value: encoded(change) };
}

function encoded({ row, update, bytes }: Change): Uint8Array {
  if (update !== undefined) return encodeUpdateRow(update);
  return bytes === undefined ? encodeRow(row) : encodeBytesRow(bytes);
}
