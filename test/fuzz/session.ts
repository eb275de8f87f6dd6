/** One fuzzing run of one target: repeatable from its seed, as long as no clock runs out in between. */
import { toHex } from "@farwatch/protocol/bytes";
import { MAX_INPUT_BYTES, mutate } from "./mutate.js";
import { Random } from "./random.js";
import type { Seen } from "./seen.js";
import type { Target } from "./targets.js";

export interface Finding {
  readonly target: string;
  readonly what: string;
  readonly input: Uint8Array;
}

export interface Report {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  readonly seconds: number;
  readonly features: number;
  readonly slowestMs: number;
  readonly findings: readonly Finding[];
  /** Inputs that showed something new, in the order they were found. */
  readonly kept: readonly Uint8Array[];
}

export interface Budget {
  readonly seconds: number;
  readonly seed: number;
  /** Beyond it a target stops; none in a nightly run. */
  readonly runs?: number;
}

/**
 * Longest time for one input, of this thread alone: other processes share the machine. Decoding a monitor of
 * 20 KiB takes 1 ms and its JSON 20 ms; collecting garbage falls on any input, so the fastest of a few tries
 * counts.
 */
export const MAX_MS = 100;
export const MAX_MS_PER_KIB = 10;
const TRIES = 4;

const timeFor = ({ maxMs = MAX_MS }: Target, bytes: number): number =>
  maxMs + (MAX_MS_PER_KIB * bytes) / 1024;

function timed(target: Target, input: Uint8Array): { seen: Seen; ms: number } {
  const from = process.threadCpuUsage();
  const seen = guarded(target, input);
  const { user, system } = process.threadCpuUsage(from);
  return { seen, ms: (user + system) / 1000 };
}

function guarded(target: Target, input: Uint8Array): Seen {
  try {
    return target.run(input);
  } catch (error) {
    const name = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { features: [], wrong: `threw ${name}` };
  }
}

/** What an input shows, with the time it takes. */
export function tryInput(target: Target, input: Uint8Array): { seen: Seen; ms: number } {
  let { seen, ms } = timed(target, input);
  for (let again = 1; again < TRIES && ms > timeFor(target, input.length); again++) {
    ms = Math.min(ms, timed(target, input).ms);
  }
  if (seen.wrong === undefined && ms > timeFor(target, input.length)) {
    seen = { ...seen, wrong: `took ${Math.round(ms)} ms for ${input.length} bytes` };
  }
  return { seen, ms };
}

const MAX_POOL = 3000;
/** What is slower is not gone on from, or little else would be tried. */
const MAX_POOL_MS = 200;
const MAX_FINDINGS = 20;

export class Session {
  readonly #random: Random;
  readonly #pool: Uint8Array[] = [];
  readonly #seen = new Set<string>();
  readonly #kept: Uint8Array[] = [];
  readonly #findings = new Map<string, Finding>();
  #runs = 0;
  #slowestMs = 0;

  constructor(
    private readonly target: Target,
    private readonly budget: Budget,
    corpus: readonly Uint8Array[],
  ) {
    this.#random = new Random(budget.seed);
    for (const input of target.seeds()) this.#try(input, true);
    for (const input of corpus) this.#try(input, true);
    this.#kept.length = 0;
  }

  run(): Report {
    const { seconds, runs = Infinity, seed } = this.budget;
    const from = performance.now();
    const spent = (): number => (performance.now() - from) / 1000;
    while (this.#runs < runs && spent() < seconds && this.#findings.size < MAX_FINDINGS) {
      const input = this.#random.pick(this.#pool) ?? new Uint8Array();
      const donor = this.#random.pick(this.#pool) ?? input;
      this.#try(mutate(input, donor, this.#random), false);
    }
    return {
      target: this.target.name,
      seed,
      runs: this.#runs,
      seconds: spent(),
      features: this.#seen.size,
      slowestMs: this.#slowestMs,
      findings: [...this.#findings.values()],
      kept: this.#kept,
    };
  }

  #try(input: Uint8Array, always: boolean): void {
    this.#runs += 1;
    const { seen, ms } = tryInput(this.target, input);
    this.#slowestMs = Math.max(this.#slowestMs, ms);
    if (seen.wrong !== undefined) this.#report(seen.wrong, input);
    const before = this.#seen.size;
    for (const feature of seen.features) this.#seen.add(feature);
    if (this.#seen.size > before && ms < MAX_POOL_MS) this.#kept.push(input);
    const isQuick = ms < MAX_POOL_MS && this.#pool.length < MAX_POOL;
    const isNew = this.#seen.size > before && isQuick;
    if (always || isNew) this.#pool.push(Uint8Array.from(input).subarray(0, MAX_INPUT_BYTES));
  }

  /** One finding of each kind: numbers in it are not what makes it another. */
  #report(wrong: string, input: Uint8Array): void {
    const what = wrong.replace(/\d+/g, "0");
    if (this.#findings.has(what)) return;
    const small = smaller(input, (bytes) => {
      const again = tryInput(this.target, bytes).seen.wrong;
      return again?.replace(/\d+/g, "0") === what;
    });
    this.#findings.set(what, { target: this.target.name, what: wrong, input: small });
  }
}

/** Tries that making an input smaller may take. */
const MAX_CUTS = 2000;

/** Leaves out pieces, larger ones first, as long as the input stays one that `holds`. */
export function smaller(input: Uint8Array, holds: (input: Uint8Array) => boolean): Uint8Array {
  let best = input;
  let cuts = 0;
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < best.length && cuts < MAX_CUTS; cuts++) {
      const without = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (holds(without)) best = Uint8Array.from(without);
      else at += size;
    }
  }
  return best;
}

export const lineOf = ({ target, what, input }: Finding): string =>
  `${target}: ${what}\n  ${toHex(input)}`;
