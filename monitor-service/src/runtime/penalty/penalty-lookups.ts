/**
 * SHELL. Looks up whether commitments of new penalties are in the chain already (ADR M-18): outputs that a
 * penalty takes and that are unspent there. In the background, after the update is durable; what was not
 * looked up is looked up again after an outage and after a restart. Never throws.
 */
import type { UpdateId } from "@farwatch/protocol/ids";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";
import { parseTx } from "../../tx/parsed-tx.js";
import type { Core, LookupControl } from "../core.js";
import { causeOf } from "../error-cause.js";
import type { PenaltyEntry } from "../monitors.js";
import { runStep } from "../run-step.js";
import { applyPenaltyInput } from "./apply-penalty-input.js";
import { tellOperator } from "./penalty-blocks.js";
import { penaltiesIn } from "./penalty-steps.js";

/** Rows read at once, the newest first: bounds memory at this many of the largest payloads. */
export const LOOKUP_PAGE_ROWS = 64;

/**
 * Outputs of one penalty that are asked for: one that is there tells enough, and a transaction may name
 * thousands. The first is to_local as nodes write it, or an HTLC output that is unspent as long.
 */
export const MAX_LOOKED_UP_INPUTS = 16;

interface Found {
  readonly updateId: UpdateId;
  readonly penalty: PenaltyTransactionStep;
}

export class PenaltyLookups implements LookupControl {
  readonly #core: () => Core;
  readonly #wanted = new Set<PenaltyEntry>();
  #running: Promise<void> = Promise.resolve();
  #active = false;
  #stopped = false;
  /** Since the last look-up that succeeded: an outage is told once. */
  #toldFailure = false;

  constructor(core: () => Core) {
    this.#core = core;
  }

  /** Updates above `lookedUpTo` came, or an outage may be over. */
  request(entry: PenaltyEntry): void {
    if (this.#stopped) return;
    this.#wanted.add(entry);
    if (this.#active) return;
    this.#active = true;
    // Not in the turn of the decision: the rows are handed to the store first.
    this.#running = Promise.resolve().then(() => this.#run());
  }

  requestAll(): void {
    for (const entry of this.#core().monitors.penaltyOnly()) {
      if (entry.state.lookedUpTo < entry.state.latestUpdateId) this.request(entry);
    }
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (;;) {
      const [entry] = this.#wanted;
      if (entry === undefined || this.#stopped) break;
      this.#wanted.delete(entry);
      try {
        await this.#lookUp(entry);
        this.#toldFailure = false;
      } catch (error) {
        this.#onFailure(entry, error);
      }
    }
    this.#active = false;
  }

  #onFailure({ channelId }: PenaltyEntry, error: unknown): void {
    if (this.#toldFailure) return;
    this.#toldFailure = true;
    const facts = { channelId, cause: causeOf(error) };
    this.#core().deps.log.warn(facts, "commitments of new penalties not looked up yet");
  }

  async #lookUp(entry: PenaltyEntry): Promise<void> {
    const core = this.#core();
    await runStep(core, () => undefined); // what was decided before is on disk
    if (entry.halt?.scope === "all") return;
    const { latestUpdateId: upTo, lookedUpTo: from } = entry.state;
    const found: Found[] = [];
    let rowId = entry.headRowId;
    let isDone = false;
    while (rowId !== 0 && !isDone) {
      const rows = await core.deps.store.readBack(rowId, LOOKUP_PAGE_ROWS);
      for (const row of rows) {
        isDone ||= row.updateId <= from;
        if (isDone || this.#stopped) break;
        rowId = row.prevRowId;
        for (const penalty of penaltiesIn(core, row)) {
          if (await this.#isConfirmed(penalty)) found.push({ updateId: row.updateId, penalty });
        }
      }
      if (this.#stopped) return;
    }
    await runStep(core, (draft) => {
      if (entry.halt?.scope === "all" || core.monitors.get(entry.channelId) !== entry) return;
      const input = { kind: "lookedUp", upTo, found: found.reverse() } as const;
      const applied = applyPenaltyInput(core, draft, entry, input, undefined);
      if (applied.ok) tellOperator(core, entry, applied.value.events);
    });
  }

  /** Throws ChainUnavailable. */
  async #isConfirmed({ transaction }: PenaltyTransactionStep): Promise<boolean> {
    const { source } = this.#core().deps;
    for (const { outpoint } of parseTx(transaction).inputs.slice(0, MAX_LOOKED_UP_INPUTS)) {
      if ((await source.confirmedOutput(outpoint)) !== undefined) return true;
    }
    return false;
  }
}
