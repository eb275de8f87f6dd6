/**
 * Brings what needs a wallet's fee to the network: our commitment with a child that spends its anchor
 * (onchain-engine 9.9), its second stages several to a transaction (9.10). Once a round for each claim;
 * what is wanted is asked of durable state each time, what was made of it stands in the book. A commitment
 * whose child cannot be paid goes out alone: it may confirm all the same.
 */
import { outpointKey, type Txid } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import type { ChainSource } from "../../chain/chain-source.js";
import { batchId } from "../../monitor/bumps/claim-id.js";
import { isResolved } from "../../monitor/bumps/resolved.js";
import {
  batchPlan,
  batchPlanAtTarget,
  childPlan,
  childPlanAtTarget,
  htlcBatches,
  type BumpPlan,
} from "../../monitor/bumps/bump-plans.js";
import type {
  BumpRequest,
  CommitmentBump,
  HtlcBump,
  HtlcToBump,
  Publish,
} from "../../monitor/effect.js";
import type { BumpAnswer } from "../monitor-host.js";
import type { ChannelEntry } from "../monitors.js";
import { answerBump } from "./answer-bump.js";
import type { BumpBook, SentBump } from "./bump-book.js";
import type { BumpLog } from "./bump-log.js";
import type { BumpJob, BumpOutcome, BumpSender } from "./bump-sender.js";

export interface BumperDeps {
  readonly source: Pick<
    ChainSource,
    "broadcast" | "broadcastPackage" | "mempoolSpender" | "confirmedOutput"
  >;
  readonly book: BumpBook;
  readonly sender: BumpSender;
  readonly log: BumpLog;
  /** The signed transaction. */
  readonly sign: (entry: ChannelEntry, publish: Publish) => Uint8Array;
}

type ByOutpoint = ReadonlyMap<string, HtlcToBump>;

export class Bumper {
  readonly #deps: BumperDeps;
  /** Claims looked at since the last round. */
  readonly #tried = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: BumperDeps) {
    this.#deps = deps;
  }

  newBlock(): void {
    this.again();
    this.#deps.sender.newBlock();
  }

  /** Looks at every claim again when next asked; how many transactions are made counts on. */
  again(): void {
    this.#tried.clear();
  }

  /** Throws when somebody did not answer; then the claim is looked at again when next asked. */
  publish(entry: ChannelEntry, request: BumpRequest): Promise<void> {
    return this.#inTurn(() => this.#publish(entry, request));
  }

  /** A wallet of the manager answered the request; see answer-bump.ts. */
  answer(
    entry: ChannelEntry,
    request: BumpRequest,
    funded: BumpAnswer["funded"],
  ): Promise<Result<Txid, Refusal>> {
    const { source, sign } = this.#deps;
    return this.#inTurn(async () => {
      if (request.kind === "htlcs") {
        return answerBump(this.#deps, entry, request, funded, (raw) => source.broadcast(raw));
      }
      const parent = sign(entry, request.commitment);
      return answerBump(this.#deps, entry, request, funded, (child) =>
        source.broadcastPackage([parent, child]),
      );
    });
  }

  /** One at a time: what one makes must be in the book before the next looks. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined); // its own caller has the error
    return turn;
  }

  async #publish(entry: ChannelEntry, request: BumpRequest): Promise<void> {
    const key = `${entry.channelNo} ${request.claimId}`;
    if (this.#tried.has(key)) return;
    this.#tried.add(key);
    try {
      if (request.kind === "commitment") await this.#commitment(entry, request);
      else await this.#htlcs(entry, request);
    } catch (error) {
      this.#tried.delete(key);
      throw error;
    }
  }

  /**
   * Gives the coins of claims back that are over for good. A claim that only rests, because what it
   * spends is spent but not 6 deep, keeps its transaction: a reorg may want it again.
   */
  forgetOver(entry: ChannelEntry): Promise<void> {
    return this.#inTurn(() => this.#forgetOver(entry));
  }

  async #forgetOver(entry: ChannelEntry): Promise<void> {
    for (const sent of this.#deps.book.ofChannel(entry.channelNo)) {
      const isOver = sent.own.every((outpoint) => isResolved(entry.durable, outpoint));
      if (isOver) await this.#deps.sender.forget(entry, sent);
    }
  }

  async #commitment(entry: ChannelEntry, request: CommitmentBump): Promise<void> {
    const { source, sender, sign } = this.#deps;
    const rawTx = sign(entry, request.commitment);
    const job = this.#childJob(entry, request, (child) => source.broadcastPackage([rawTx, child]));
    if (job !== undefined && (await sender.settle(job)) === "out") return;
    await this.#alone(entry, request, rawTx);
  }

  async #alone(entry: ChannelEntry, request: CommitmentBump, rawTx: Uint8Array): Promise<void> {
    const { source, log } = this.#deps;
    const { role, txid } = request.commitment;
    const facts = { channelId: entry.channelId, role, bumpId: request.claimId };
    // BIP 431: without a child that pays, nobody relays a transaction without a fee.
    if (request.commitmentFeeSat === 0n) return log.waits(facts, "no fee, so it is not relayed");
    const result = await source.broadcast(rawTx);
    if (result.kind !== "refused") return log.out(facts, { txid });
    log.waits(facts, `broadcast refused: ${result.reason} ${result.message}`);
  }

  async #htlcs(entry: ChannelEntry, request: HtlcBump): Promise<void> {
    const live: ByOutpoint = new Map(
      request.htlcs.map((member) => [outpointKey(member.input.outpoint), member]),
    );
    const fresh = new Map(live);
    for (const sent of this.#deps.book.ofChannel(entry.channelNo)) {
      if (sent.claimId !== request.claimId) continue;
      for (const outpoint of sent.own) fresh.delete(outpointKey(outpoint));
      await this.#stored(entry, request, live, sent);
    }
    if (fresh.size > 0) await this.#batches(entry, request, [...fresh.values()]);
  }

  /** What was made before goes on with those of its outputs that are still unspent in the chain. */
  async #stored(
    entry: ChannelEntry,
    request: HtlcBump,
    live: ByOutpoint,
    sent: SentBump,
  ): Promise<void> {
    const members = sent.own.flatMap((outpoint) => live.get(outpointKey(outpoint)) ?? []);
    if (members.length === 0) return; // it rests
    const job = this.#batchJob(entry, request, members, sent);
    if (job === undefined) return;
    const outcome = await this.#deps.sender.settle(job);
    // Somebody holds up one of them at a high fee: the others go without it at the next block.
    if (outcome === "outbid" && members.length > 1) await this.#deps.sender.forget(entry, sent);
  }

  /** With too few coins for all of a batch, for half of it, and so on; then no more is tried. */
  async #batches(
    entry: ChannelEntry,
    request: HtlcBump,
    fresh: readonly HtlcToBump[],
  ): Promise<void> {
    const contested = await this.#contested(fresh);
    const queue = [...htlcBatches(request, fresh, (member) => contested.has(member))];
    for (let members = queue.shift(); members !== undefined; members = queue.shift()) {
      const job = this.#batchJob(entry, request, members, undefined);
      const outcome: BumpOutcome =
        job === undefined ? "refused" : await this.#deps.sender.settle(job);
      if (outcome !== "unfunded") continue;
      if (members.length === 1) return;
      const half = Math.ceil(members.length / 2);
      queue.unshift(members.slice(0, half), members.slice(half));
    }
  }

  async #contested(members: readonly HtlcToBump[]): Promise<ReadonlySet<HtlcToBump>> {
    const contested = new Set<HtlcToBump>();
    for (const member of members) {
      const spender = await this.#deps.source.mempoolSpender(member.input.outpoint);
      if (spender !== undefined) contested.add(member);
    }
    return contested;
  }

  #batchJob(
    entry: ChannelEntry,
    request: HtlcBump,
    members: readonly HtlcToBump[],
    sent: SentBump | undefined,
  ): BumpJob | undefined {
    const plan = batchPlan(request, members) ?? asStored(batchPlanAtTarget(request, members), sent);
    if (plan === undefined) return undefined;
    const outpoints = members.map(({ input }) => input.outpoint);
    return {
      entry,
      claimId: request.claimId,
      bumpId: sent?.bumpId ?? batchId(request.claimId, outpoints),
      plan,
      broken: sent !== undefined && members.length < sent.own.length,
      send: (rawTx) => this.#deps.source.broadcast(rawTx),
    };
  }

  /** undefined: the commitment goes out alone. */
  #childJob(
    entry: ChannelEntry,
    request: CommitmentBump,
    send: BumpJob["send"],
  ): BumpJob | undefined {
    const { claimId } = request;
    const stored = this.#deps.book.get(entry.channelNo, claimId);
    const plan = childPlan(request) ?? asStored(childPlanAtTarget(request), stored);
    return plan && { entry, claimId, bumpId: claimId, plan, broken: false, send };
  }
}

/** What was made before is sent again, whatever is affordable now. */
const asStored = (plan: BumpPlan | undefined, sent: SentBump | undefined): BumpPlan | undefined =>
  plan && sent && { ...plan, feeratePerKw: sent.feeratePerKw };
