/**
 * SHELL. Drives the sink along the best chain the source shows: disconnects first, then one block at a
 * time, each awaited (journey J2). Hints and the poll timer only start a round; what a round does comes
 * from the sink's own headers, so a lost hint, a restart or an outage needs no special case.
 */
import { assertNever, must } from "@farwatch/protocol/assert";
import { blockHeight, type BlockPoint } from "@farwatch/protocol/block";
import {
  BlockPruned,
  ChainUnavailable,
  type BlockHeader,
  type ChainSource,
} from "./chain-source.js";
import { planFollow, pointOf, type FollowPlan } from "./follow-chain.js";
import type { ChainName } from "./proof-of-work.js";
import { verifyBlock, type VerifiedBlock } from "./verify-block.js";
import { Waker, type Clock } from "./waker.js";

/** Milliseconds. Without ZMQ this is how late a block may be seen; reliability F-36 asks for 10 s. */
export const POLL_INTERVAL_MS = 5_000;
/** Milliseconds between rounds while the source fails: doubles from the first to the last. */
export const FIRST_BACKOFF_MS = 500;
export const LAST_BACKOFF_MS = 15_000;
/** Headers looked up per round in catch-up. Bounds memory; more saves no time. */
export const CATCH_UP_WINDOW = 200;
/** Blocks that may arrive in one round while we still count as synced. */
export const SYNCED_SLACK = 6;

/** Where verified blocks go. It persists: a resolved promise means the step will survive a crash. */
export interface ChainSink {
  /** Its last verified headers, newest first, linked; at least one, at most HEADER_RING_SIZE. */
  tipRing(): readonly BlockHeader[];
  /** The chain now ends at forkPoint, one of tipRing(). */
  disconnected(forkPoint: BlockPoint): Promise<void>;
  /** The block after tipRing()[0]. */
  connected(block: VerifiedBlock): Promise<void>;
  /** Synced for the first time, or again: the source may have missed or lost what it was offered. */
  synced(): void;
}

export interface FollowerLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export type UnavailableReason =
  /** The source does not answer. */
  | "outage"
  /** Its best chain has less work than ours. */
  | "sourceBehind"
  /** It showed a header or a block that cannot be right. */
  | "invalidData"
  /** Its chain parts from ours below MAX_REORG_DEPTH: a person must look. */
  | "forkTooDeep"
  /** It has deleted a block we have not read: a person must have it downloaded again. */
  | "blockPruned";

const NEEDS_A_PERSON: ReadonlySet<UnavailableReason | undefined> = new Set([
  "forkTooDeep",
  "blockPruned",
]);

export type FollowerState = "catchingUp" | "synced" | "unavailable";

export interface FollowerStatus {
  readonly state: FollowerState;
  /** Set exactly when the state is "unavailable". */
  readonly reason: UnavailableReason | undefined;
  /** The sink's tip. */
  readonly tip: BlockPoint;
  /** Clock milliseconds when state and reason last changed. */
  readonly since: number;
}

export interface FollowerDeps {
  readonly source: ChainSource;
  readonly sink: ChainSink;
  readonly chain: ChainName;
  readonly log: FollowerLog;
  readonly clock: Clock;
  readonly pollIntervalMs?: number;
}

type Round = { readonly kind: "moved" } | { readonly kind: "synced" } | Failure;
interface Failure {
  readonly kind: "failed";
  readonly reason: UnavailableReason;
  readonly fields: Readonly<Record<string, unknown>>;
}
const failed = (reason: UnavailableReason, fields: Failure["fields"]): Failure => ({
  kind: "failed",
  reason,
  fields,
});

export class ChainFollower {
  readonly #deps: FollowerDeps;
  readonly #waker: Waker;
  #state: FollowerState = "catchingUp";
  #reason: UnavailableReason | undefined;
  #since: number;
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(deps: FollowerDeps) {
    this.#deps = deps;
    this.#waker = new Waker(deps.clock);
    this.#since = deps.clock.now();
  }

  /** Runs until stop(). Rejects when the sink fails: then nothing may follow on that sink. */
  run(): Promise<void> {
    this.#running ??= this.#loop();
    return this.#running;
  }

  /** Resolves when the step under way has ended; no further one starts. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#waker.wake();
    await this.#running?.catch(() => undefined); // whoever called run() has the error
  }

  status(): FollowerStatus {
    const tip = pointOf(this.#tip());
    return { state: this.#state, reason: this.#reason, tip, since: this.#since };
  }

  async #loop(): Promise<void> {
    const unsubscribe = this.#deps.source.onHint(() => this.#waker.wake());
    let failures = 0;
    try {
      while (!this.#stopping) {
        const round = await this.#round();
        if (round.kind === "moved") {
          failures = 0;
        } else if (round.kind === "synced") {
          failures = 0;
          const isNews = this.#state !== "synced";
          this.#enter("synced", undefined, {});
          if (isNews) this.#deps.sink.synced();
          await this.#pause(this.#deps.pollIntervalMs ?? POLL_INTERVAL_MS);
        } else {
          this.#enter("unavailable", round.reason, round.fields);
          await this.#pause(Math.min(FIRST_BACKOFF_MS * 2 ** failures, LAST_BACKOFF_MS));
          failures++;
        }
      }
    } finally {
      unsubscribe();
    }
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#stopping) await this.#waker.wait(ms);
  }

  /** Errors of the source end the round; errors of the sink pass through. */
  async #round(): Promise<Round> {
    try {
      const theirTip = await this.#ask(this.#deps.source.tip());
      const plan = await this.#plan(theirTip);
      return await this.#execute(plan, theirTip);
    } catch (error) {
      if (!(error instanceof SourceFailed)) throw error;
      const reason = error.cause instanceof BlockPruned ? "blockPruned" : "outage";
      return failed(reason, { error: messageOf(error.cause) });
    }
  }

  /** Far below their tip, plans to a nearer block of their chain; widens when that has too little work. */
  async #plan(theirTip: BlockPoint): Promise<FollowPlan> {
    const { source, sink, chain } = this.#deps;
    for (let window = CATCH_UP_WINDOW; ; window *= 2) {
      const nearer = blockHeight(Math.min(theirTip.height, this.#tip().height + window));
      let candidate = theirTip;
      if (nearer < theirTip.height) {
        const hash = await this.#ask(source.hashAtHeight(nearer));
        if (hash === undefined) return { kind: "headerMissing", hash: theirTip.hash };
        candidate = { height: nearer, hash };
      }
      const search = planFollow(sink.tipRing(), candidate, chain);
      let step = search.next();
      while (step.done !== true) step = search.next(await this.#ask(source.header(step.value)));
      if (step.value.kind !== "keep" || candidate === theirTip) return step.value;
    }
  }

  async #execute(plan: FollowPlan, theirTip: BlockPoint): Promise<Round> {
    switch (plan.kind) {
      case "upToDate":
        return { kind: "synced" };
      case "keep":
        if (!plan.lessWork) return { kind: "synced" };
        return failed("sourceBehind", { theirTip });
      case "forkTooDeep":
        return failed("forkTooDeep", { candidate: plan.candidate });
      case "invalid":
        return failed("invalidData", { hash: plan.hash, fault: plan.fault });
      case "headerMissing":
        return failed("outage", { missingHeader: plan.hash });
      case "follow":
        return this.#follow(plan);
      default:
        return assertNever(plan);
    }
  }

  /** The first new block is at hand before anything is disconnected. */
  async #follow(plan: Extract<FollowPlan, { kind: "follow" }>): Promise<Round> {
    const { sink, log } = this.#deps;
    let disconnect = plan.disconnects;
    for (const header of plan.connect) {
      if (this.#stopping) break;
      const block = await this.#fetch(header);
      if ("kind" in block) return block;
      if (this.#stopping) break;
      if (disconnect) {
        log.warn({ from: pointOf(this.#tip()), forkPoint: plan.forkPoint }, "chain reorganised");
        await sink.disconnected(plan.forkPoint);
        disconnect = false;
      }
      const behind = this.#state !== "synced" || plan.connect.length > SYNCED_SLACK;
      if (behind) this.#enter("catchingUp", undefined, {});
      await sink.connected(block);
    }
    return { kind: "moved" };
  }

  async #fetch(header: BlockHeader): Promise<VerifiedBlock | Failure> {
    const raw = await this.#ask(this.#deps.source.block(header.hash));
    const verified = verifyBlock(header, raw);
    if (verified.ok) return verified.value;
    return failed("invalidData", { hash: header.hash, fault: verified.error });
  }

  #tip(): BlockHeader {
    return must(this.#deps.sink.tipRing()[0], "at least one header in the sink");
  }

  #enter(
    state: FollowerState,
    reason: UnavailableReason | undefined,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    this.#since = this.#deps.clock.now();
    const facts = { state, reason, tip: pointOf(this.#tip()), ...fields };
    if (NEEDS_A_PERSON.has(reason)) this.#deps.log.error(facts, "the chain cannot be followed");
    else if (state === "unavailable") this.#deps.log.warn(facts, "chain source unavailable");
    else this.#deps.log.info(facts, "chain state changed");
  }

  async #ask<T>(question: Promise<T>): Promise<T> {
    try {
      return await question;
    } catch (cause) {
      throw new SourceFailed("chain source failed", { cause });
    }
  }
}

/** Marks an error as the source's, so that it is never taken for one of the sink. */
class SourceFailed extends ChainUnavailable {
  override readonly name = "SourceFailed";
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : "unknown error";
