/**
 * Decide -> commit -> effects: the whole safety argument. Nobody else commits, nobody else runs effects.
 * Decisions are pipelined: memory may be ahead of the disk, but commits keep their order, and nothing
 * leaves before the commit of the decision that caused it.
 */
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import { ok } from "@farwatch/protocol/result";
import type { Effect } from "../manager/effect.js";
import type { ManagerInput } from "../manager/input.js";
import { encodeRow } from "../manager/row-codec.js";
import type { Tables } from "../manager/rows.js";
import { step } from "../manager/step.js";
import type { Change } from "../manager/tables.js";
import type { RowChange } from "../store/store.js";
import type { ManagerDeps } from "./deps.js";
import { applyChanges, isTable } from "./load-tables.js";

export type RunStep = (input: ManagerInput) => Promise<Result<void, Refusal>>;

export function createRunStep(
  deps: ManagerDeps,
  tables: Tables,
  runEffect: (effect: Effect) => void,
): RunStep {
  return async (input) => {
    const ctx = { curve: deps.curve, nowMs: deps.clock.nowMs() };
    const decided = step(ctx, tables, input);
    if (!decided.ok) return decided;
    const { changes, effects } = decided.value;
    applyChanges(tables, changes);
    await deps.failpoint?.(`beforeCommit:${input.kind}`);
    // An input that changes nothing still waits: what it repeats may not be on disk yet.
    await commit(deps, changes);
    await deps.failpoint?.(`afterCommit:${input.kind}`);
    for (const effect of effects) runEffect(effect);
    return ok(undefined);
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

function toRowChange({ table, key, row }: Change): RowChange {
  if (!isTable(table)) throw new Error(`no such table: ${table}`);
  return { table, key, value: row === undefined ? undefined : encodeRow(row) };
}
