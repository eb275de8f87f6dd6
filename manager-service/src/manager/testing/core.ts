/**
 * A manager core for tests: inputs in, rows and effects out. Decisions are applied as the shell does it;
 * nothing is stored. No rules of its own.
 */
import { assert } from "@farwatch/protocol/assert";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import { createTables, type Tables } from "../draft.js";
import type { Decision, Effect } from "../effect.js";
import type { Context, ManagerInput } from "../input.js";
import type { UpdateRow } from "../rows.js";
import { step } from "../step.js";
import type { Change } from "../tables.js";

export class Core {
  readonly tables: Tables = createTables();
  /** The update log, which has no table in memory. */
  readonly updates = new Map<string, UpdateRow>();
  effects: readonly Effect[] = [];
  constructor(public context: Context) {}

  /** Decides and applies; the effects are those of this input alone. */
  input(input: ManagerInput): Result<Decision, Refusal> {
    const decided = step(this.tables, this.context, input);
    this.effects = decided.ok ? decided.value.effects : [];
    for (const change of decided.ok ? decided.value.changes : []) this.#apply(change);
    return decided;
  }

  #apply({ table, key, row, update }: Change): void {
    if (update !== undefined) this.updates.set(key, update);
    const tables: readonly { readonly name: string; set(key: string, row: unknown): void }[] =
      Object.values(this.tables);
    tables.find(({ name }) => name === table)?.set(key, row);
  }

  /** Inputs that a test takes for granted. */
  expectOk(input: ManagerInput): Decision {
    const decided = this.input(input);
    assert(decided.ok, `refused: ${decided.ok ? "" : decided.error.reason}`);
    assert(decided.value.refusal === undefined, `refused: ${decided.value.refusal?.reason}`);
    return decided.value;
  }

  /** Kinds of the effects of the last input. */
  get kinds(): readonly string[] {
    return this.effects.map(({ kind }) => kind);
  }
}
