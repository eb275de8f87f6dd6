/**
 * Sweeps our own mature outputs to the operator's destination, when that is configured (onchain-engine
 * 10). Every version is durable before it is sent; all channels share transactions. Who spends an output
 * otherwise, the node above all, wins: what its transaction takes is left out, confirmed or not. Not
 * urgent: whatever fails is tried again at the next block. Never throws.
 */
import { must } from "@farwatch/protocol/assert";
import type { FeeratePerKw } from "@farwatch/protocol/amount";
import type { BroadcastResult } from "../chain/chain-source.js";
import { SweepDestinationInvalid } from "../chain/sweep-destination.js";
import { ANTI_REORG_DELAY, DEFAULT_MAX_FEERATE, FLOOR_FEERATES } from "../monitor/constants.js";
import { outpointKey } from "@farwatch/protocol/ids";
import { sweepable, type Sweepable } from "../monitor/sweepable.js";
import { inputSighash, inputWitness } from "../tx/claim.js";
import {
  dueSweeps,
  firstVersion,
  isWorthSweeping,
  MAX_SWEEP_INPUTS,
  nextVersion,
  sweepTx,
  type Sweep,
  type SweepMoment,
} from "../tx/sweep-plan.js";
import { tipOf, nextRow, type Core, type SweepControl } from "./core.js";
import type { SweepConfig } from "./deps.js";
import type { Draft } from "./draft.js";
import { causeOf } from "./error-cause.js";
import { runStep } from "./run-step.js";

type Sweepables = ReadonlyMap<string, Sweepable>;

/** What is asked before a decision. */
interface Look {
  /** Outputs that no transaction of others spends in the mempool. */
  readonly free: ReadonlySet<string>;
  readonly estimate: FeeratePerKw;
  /** For the next new sweep. */
  readonly script: Uint8Array | undefined;
}

export class Sweeper implements SweepControl {
  readonly #core: Core;
  readonly #config: SweepConfig;
  /** Refused for their fee: due at once. */
  readonly #tooCheap = new Set<number>();
  #wanted = false;
  #running: Promise<void> = Promise.resolve();
  #active = false;
  #stopped = false;
  #toldInvalid = false;

  constructor(core: Core, config: SweepConfig) {
    this.#core = core;
    this.#config = config;
  }

  /** A block came, or bitcoind is back. */
  request(): void {
    if (this.#stopped) return;
    this.#wanted = true;
    if (this.#active) return;
    this.#active = true;
    this.#running = this.#run();
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        await this.#round();
      } catch (error) {
        this.#core.deps.log.warn({ cause: causeOf(error) }, "sweeps wait for the next block");
      }
    }
    this.#active = false;
  }

  async #round(): Promise<void> {
    const core = this.#core;
    if (core.deps.chainState() !== "synced") return;
    const now = sweepables(core);
    if (now.size === 0 && core.sweeps.size === 0) return;
    const look = await this.#look(now);
    await runStep(core, (draft) => this.#decide(draft, look));
    for (const sweep of core.sweeps.values()) {
      if (this.#stopped) return;
      await this.#publish(sweep, look);
    }
  }

  async #look(now: Sweepables): Promise<Look> {
    const { source } = this.#core.deps;
    const versions = new Set([...this.#core.sweeps.values()].flatMap(({ txids }) => txids));
    const inSweeps = new Set([...this.#core.sweeps.values()].flatMap(({ inputs }) => inputs));
    const { normal } = await source.feerates().catch(() => FLOOR_FEERATES);
    const fresh = [...now.values()]
      .filter(({ key, input }) => !inSweeps.has(key) && isWorthSweeping(input, normal))
      .sort((a, b) => a.matureAt - b.matureAt)
      .slice(0, MAX_SWEEP_INPUTS);
    const assigned = [...now.values()].filter(({ key }) => inSweeps.has(key));
    const free = new Set<string>();
    for (const { key, input } of [...assigned, ...fresh]) {
      const spender = await source.mempoolSpender(input.outpoint);
      if (spender === undefined || versions.has(spender)) free.add(key);
    }
    const script = fresh.length === 0 ? undefined : await this.#script();
    return { free, estimate: normal, script };
  }

  async #script(): Promise<Uint8Array | undefined> {
    const { rows, deps } = this.#core;
    try {
      return await this.#config.destination.script(rows.sweep);
    } catch (error) {
      if (!(error instanceof SweepDestinationInvalid)) throw error;
      if (!this.#toldInvalid) {
        deps.log.error({ cause: error.message }, "nothing is swept: the destination is not valid");
      }
      this.#toldInvalid = true;
      return undefined;
    }
  }

  #decide(draft: Draft, look: Look): void {
    const core = this.#core;
    const now = sweepables(core);
    const moment: SweepMoment = {
      height: tipOf(core).height,
      estimate: look.estimate,
      highest: core.deps.maxFeerate ?? DEFAULT_MAX_FEERATE,
    };
    const inSweeps = new Set<string>();
    for (const sweep of [...core.sweeps.values()]) {
      if (isOver(core, sweep, now)) {
        core.sweeps.delete(sweep.id);
        draft.write({ op: "putSweep", row: { ...sweep, isOver: true } });
        continue;
      }
      for (const key of sweep.inputs) inSweeps.add(key);
      const due = this.#tooCheap.delete(sweep.id) ? { ...sweep, nextBumpAt: 0 } : sweep;
      put(core, draft, nextVersion(due, liveOf(sweep, now, look), moment));
    }
    if (look.script === undefined) return;
    const fresh = [...now.values()].filter(({ key }) => !inSweeps.has(key) && look.free.has(key));
    const [group] = dueSweeps(fresh, moment, this.#config.everyBlocks);
    if (group === undefined) return;
    const id = core.rows.sweep;
    const first = firstVersion(id, look.script, group, moment);
    if (first === undefined) return;
    nextRow(core, "sweep");
    put(core, draft, first);
    const { txids, spends, feeSat } = first;
    const facts = { sweep: id, txid: txids.at(-1), outputs: spends.length, feeSat };
    core.deps.log.info(facts, "own outputs are swept");
  }

  async #publish(sweep: Sweep, look: Look): Promise<void> {
    const { log, source } = this.#core.deps;
    const now = sweepables(this.#core);
    const group = liveOf(sweep, now, look).filter(({ key }) => sweep.spends.includes(key));
    if (group.length < sweep.spends.length) return;
    const facts = { sweep: sweep.id, txid: sweep.txids.at(-1) };
    try {
      const result = await source.broadcast(this.#signed(sweep, group));
      this.#answered(sweep, facts, result);
    } catch (error) {
      log.warn({ ...facts, cause: causeOf(error) }, "sweep not sent");
    }
  }

  #answered(sweep: Sweep, facts: object, result: BroadcastResult): void {
    const { log } = this.#core.deps;
    if (result.kind !== "refused") {
      log.info({ ...facts, result: result.kind }, "broadcast");
      return;
    }
    const { reason, message } = result;
    if (reason === "insufficientFee") this.#tooCheap.add(sweep.id);
    log.warn({ ...facts, reason, message }, "broadcast refused");
  }

  #signed(sweep: Sweep, group: readonly Sweepable[]): Uint8Array {
    const { signer } = this.#core.deps;
    const tx = sweepTx(sweep, group);
    for (const [index, { input, signer: by }] of group.entries()) {
      const digest = inputSighash(tx, index, input);
      const [signature] = signer.sign(by.channelKeysId, [{ key: by.key, digest }]);
      tx.setWitness(index, inputWitness(input, must(signature, "signature")));
    }
    return tx.toBuffer();
  }
}

function put(core: Core, draft: Draft, sweep: Sweep | undefined): void {
  if (sweep === undefined) return;
  core.sweeps.set(sweep.id, sweep);
  draft.write({ op: "putSweep", row: { ...sweep, isOver: false } });
}

/** Of every channel that sees blocks. */
function sweepables(core: Core): Sweepables {
  const found = new Map<string, Sweepable>();
  for (const entry of core.monitors.full()) {
    if (entry.halt?.scope === "all" || entry.state.ownOutputs.length === 0) continue;
    for (const item of sweepable(core.context, entry.state)) found.set(item.key, item);
  }
  return found;
}

/** In the order of the sweep's inputs. */
const liveOf = (sweep: Sweep, now: Sweepables, { free }: Look): readonly Sweepable[] =>
  sweep.inputs.flatMap((key) => {
    const item = now.get(key);
    return item === undefined || !free.has(key) ? [] : [item];
  });

/** Every output is spent 6 deep or gone; a reorganisation deeper than that starts a new sweep. */
function isOver(core: Core, sweep: Sweep, now: Sweepables): boolean {
  const keys = new Set(sweep.inputs);
  if (sweep.inputs.some((key) => now.has(key))) return false;
  const { height } = tipOf(core);
  for (const { state } of core.monitors.full()) {
    for (const { output, spend } of state.ownOutputs) {
      if (!keys.has(outpointKey(output.outpoint))) continue;
      // Unspent and yet not sweepable now: young again after a reorganisation, or its channel is halted.
      if (spend === undefined || spend.height + ANTI_REORG_DELAY - 1 > height) return false;
    }
  }
  return true;
}
