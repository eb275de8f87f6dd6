/**
 * SHELL. Brings channels whose best block is older than our headers up to them (ADR M-15). Each follows
 * the blocks of bitcoind's best chain alone, before it is one of the monitors: nothing is durable and
 * nothing is answered until then, so a crash costs the reading and no more. Channels at the same block
 * share what is read; one that cannot go on holds up no other.
 */
import { blockHeight, type BlockPoint } from "@farwatch/protocol/block";
import type { Hash32 } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { BlockPruned, ChainUnavailable, type BlockHeader } from "../chain/chain-source.js";
import type { ChainSource } from "../chain/chain-source.js";
import { pointOf } from "../chain/follow-chain.js";
import type { ChainName } from "../chain/proof-of-work.js";
import { scanBlock } from "../chain/scan-block.js";
import { verifyBlock, type VerifiedBlock } from "../chain/verify-block.js";
import { verifyHeader, verifyLink } from "../chain/verify-header.js";
import type { MonitorContext } from "../monitor/context.js";
import { connectAlone, type Alone } from "./alone.js";
import type { HostLog } from "./deps.js";
import { causeOf } from "./error-cause.js";
import { findScanStart } from "./scan-start.js";
import { WatchIndex } from "./watch-index.js";

/** Channels on their way at once; about 10 KiB of memory each. */
export const MAX_CATCHING_UP = 1_000;
/** Milliseconds after which a channel nobody asked about makes room: managers ask again within a minute. */
export const FORGOTTEN_AFTER_MS = 3_600_000;
/** Blocks a call waits for before it answers how far we are; well within a manager's 10 s. */
export const BLOCKS_PER_CALL = 64;

export interface CatchUpDeps {
  readonly source: Pick<ChainSource, "header" | "hashAtHeight" | "block">;
  readonly chain: ChainName;
  readonly context: MonitorContext;
  readonly log: HostLog;
  /** The headers that a channel has to reach, newest first. */
  ring(): readonly BlockHeader[];
  nowMs(): number;
}

export interface CatchUpRequest {
  /** Names the first state; the same bytes again go on where they were. */
  readonly key: Hash32;
  readonly best: BlockPoint;
  /** Called once, with the block it starts at. */
  create(at: BlockPoint): Result<Alone, Refusal>;
}

/** A channel that has come to a block of ours. */
export interface CaughtUp {
  readonly channel: Alone;
  readonly at: BlockPoint;
}

interface Joiner {
  readonly key: Hash32;
  readonly owner: number;
  channel: Alone;
  at: BlockHeader;
  askedAtMs: number;
  /** Why it cannot go on. */
  broken: { readonly cause: unknown } | undefined;
}

const ANY_SEED = 0;

export class CatchUp {
  readonly #deps: CatchUpDeps;
  readonly #joiners = new Map<Hash32, Joiner>();
  readonly #index = new WatchIndex(ANY_SEED);
  #nextOwner = 1;
  #running: Promise<void> | undefined;
  /** The block being read. */
  #block: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(deps: CatchUpDeps) {
    this.#deps = deps;
  }

  /**
   * Errors: those of `create` and of findScanStart; tooManyInFlight; chainBehind while it is on its way,
   * or when bitcoind does not answer. Throws what broke the channel.
   */
  async join(request: CatchUpRequest): Promise<Result<CaughtUp, Refusal>> {
    try {
      const found = await this.#find(request);
      if (!found.ok) return found;
      return await this.#follow(found.value);
    } catch (error) {
      if (!(error instanceof ChainUnavailable)) throw error;
      return err(refuse("chainBehind", "bitcoind does not answer: send the same bytes again"));
    }
  }

  /** It is one of the monitors now, or is not wanted any more. */
  drop(key: Hash32): void {
    const joiner = this.#joiners.get(key);
    if (joiner === undefined) return;
    this.#joiners.delete(key);
    this.#index.remove(joiner.owner, joiner.channel.now.state);
  }

  /** Resolves when no block is being read. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #find(request: CatchUpRequest): Promise<Result<Joiner, Refusal>> {
    const known = this.#joiners.get(request.key);
    if (known !== undefined) return ok(known);
    const start = await findScanStart(this.#deps, request.best);
    if (!start.ok) return start;
    // Another call with the same bytes may have come first.
    const now = this.#joiners.get(request.key);
    return now === undefined ? this.#add(request, start.value) : ok(now);
  }

  #add({ key, create }: CatchUpRequest, at: BlockHeader): Result<Joiner, Refusal> {
    const created = create(pointOf(at));
    if (!created.ok) return created;
    this.#makeRoom();
    if (this.#joiners.size >= MAX_CATCHING_UP) {
      const details = { limit: String(MAX_CATCHING_UP) };
      return err(refuse("tooManyInFlight", "too many channels are catching up", details));
    }
    const owner = this.#nextOwner++;
    const channel = created.value;
    const askedAtMs = this.#deps.nowMs();
    const joiner: Joiner = { key, owner, channel, at, askedAtMs, broken: undefined };
    this.#joiners.set(key, joiner);
    this.#index.add(owner, channel.now.state);
    const { channelId } = channel.first.parameters;
    this.#deps.log.info({ channelId, from: pointOf(at), to: this.#goal() }, "channel catches up");
    return ok(joiner);
  }

  #makeRoom(): void {
    const oldest = this.#deps.nowMs() - FORGOTTEN_AFTER_MS;
    for (const { key, askedAtMs } of [...this.#joiners.values()]) {
      if (askedAtMs < oldest) this.drop(key);
    }
  }

  async #follow(joiner: Joiner): Promise<Result<CaughtUp, Refusal>> {
    joiner.askedAtMs = this.#deps.nowMs();
    const isKnown = (): boolean => this.#joiners.get(joiner.key) === joiner;
    for (let blocks = 0; blocks < BLOCKS_PER_CALL; blocks++) {
      if (!isKnown() || !this.#isOnItsWay(joiner)) break;
      this.#run();
      if (this.#running === undefined) break;
      await this.#block;
    }
    if (joiner.broken !== undefined) {
      this.drop(joiner.key);
      throw joiner.broken.cause;
    }
    if (this.#isHere(joiner)) return ok({ channel: joiner.channel, at: pointOf(joiner.at) });
    // Among our heights but not one of our blocks: it followed another chain and starts anew.
    if (isKnown() && !this.#isOnItsWay(joiner)) this.drop(joiner.key);
    const details = { height: String(joiner.at.height), tip_height: String(this.#tip().height) };
    const why = "reading the blocks since best_block: send the same bytes again";
    return err(refuse("chainBehind", why, details));
  }

  #isHere({ at }: Joiner): boolean {
    return this.#deps.ring().some(({ hash }) => hash === at.hash);
  }

  /** Below the lowest of our headers; that one is deeper than any reorganisation we follow. */
  #isOnItsWay({ at, broken }: Joiner): boolean {
    return broken === undefined && at.height < this.#goal().height;
  }

  #goal(): BlockPoint {
    return pointOf(must(this.#deps.ring().at(-1), "a header"));
  }

  #tip(): BlockPoint {
    return pointOf(must(this.#deps.ring()[0], "a tip"));
  }

  #run(): void {
    if (this.#stopping) return;
    this.#running ??= this.#readBlocks().finally(() => (this.#running = undefined));
  }

  /** Ends when all have come to our headers, at a stop, and when bitcoind fails: the next call goes on. */
  async #readBlocks(): Promise<void> {
    while (!this.#stopping) {
      const lowest = this.#lowest();
      if (lowest === undefined) return;
      let failed = false;
      this.#block = this.#advance(lowest.at).catch((error: unknown) => {
        failed = true;
        this.#complain(error, lowest.at);
      });
      await this.#block;
      if (failed) return;
    }
  }

  #lowest(): Joiner | undefined {
    let lowest: Joiner | undefined;
    for (const joiner of this.#joiners.values()) {
      if (!this.#isOnItsWay(joiner)) continue;
      if (lowest === undefined || joiner.at.height < lowest.at.height) lowest = joiner;
    }
    return lowest;
  }

  /** Gives the block after `at` to all that stand there. */
  async #advance(at: BlockHeader): Promise<void> {
    const next = await this.#nextBlock(at);
    const group = [...this.#joiners.values()].filter((joiner) => joiner.at.hash === at.hash);
    if (next === undefined) {
      this.#deps.log.warn({ at: pointOf(at) }, "the chain parted below a channel that catches up");
      for (const { key } of group) this.drop(key);
      return;
    }
    const matches = scanBlock(next.raw, this.#index.watch, next.txids);
    for (const joiner of group) {
      const mine = matches.filter(({ owners }) => owners.includes(joiner.owner));
      const raws = mine.map(({ raw }) => raw);
      const before = joiner.channel.now.state;
      try {
        joiner.channel = connectAlone(
          this.#deps.context,
          joiner.channel,
          pointOf(next.header),
          raws,
        );
        joiner.at = next.header;
        this.#index.move(joiner.owner, before, joiner.channel.now.state);
      } catch (cause) {
        joiner.broken = { cause };
      }
    }
  }

  /** undefined: `at` is in bitcoind's best chain no more. */
  async #nextBlock(at: BlockHeader): Promise<VerifiedBlock | undefined> {
    const { source, chain } = this.#deps;
    const height = blockHeight(at.height + 1);
    const hash = await source.hashAtHeight(height);
    if (hash === undefined) throw new ChainUnavailable("the source is behind");
    const claimed = await source.header(hash);
    const header =
      claimed === undefined ? undefined : verifyHeader({ ...claimed, height }, hash, chain);
    if (header?.ok !== true) throw new ChainUnavailable(`no good header at height ${height}`);
    if (header.value.previousHash !== at.hash) return undefined;
    const link = verifyLink(header.value, at, chain);
    if (!link.ok) throw new ChainUnavailable(`bad header at height ${height}: ${link.error}`);
    const block = verifyBlock(header.value, await source.block(hash));
    if (!block.ok) throw new ChainUnavailable(`bad block at height ${height}: ${block.error}`);
    return block.value;
  }

  #complain(error: unknown, at: BlockHeader): void {
    const facts = { at: pointOf(at), cause: causeOf(error) };
    const message = "blocks cannot be read for a channel that catches up";
    if (error instanceof BlockPruned) this.#deps.log.error(facts, message);
    else this.#deps.log.warn(facts, message);
  }
}
