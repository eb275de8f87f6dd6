/**
 * One transaction that a wallet pays for: funded, checked, signed, written, sent; sent again as it is
 * while its feerate is enough, replaced with the same coins when it is not (BIP 125). What bitcoind
 * refuses for its fee is raised up to the claim's limit, a few times at one block. The order is fixed:
 * nothing leaves before its row is on disk.
 */
import { feeratePerKw, type FeeratePerKw } from "@farwatch/protocol/amount";
import { outpointKey, type Hash32 } from "@farwatch/protocol/ids";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { BroadcastResult, ChainSource } from "../../chain/chain-source.js";
import type { FeeWallet } from "../../chain/fee-wallet.js";
import { dearest, type BumpPlan } from "../../monitor/bumps/bump-plans.js";
import { completeBump } from "../../monitor/bumps/complete-bump.js";
import type { Publish } from "../../monitor/effect.js";
import { INCREMENTAL_RELAY_FEERATE } from "../../tx/fee.js";
import type { FundedTx, FundingFault } from "../../tx/funded-tx.js";
import { causeOf } from "../error-cause.js";
import type { ChannelEntry } from "../monitors.js";
import type { BumpBook, SentBump } from "./bump-book.js";
import type { BumpFacts, BumpLog } from "./bump-log.js";

export interface BumpSenderDeps {
  readonly wallet: FeeWallet | undefined;
  /** Why there is no wallet. */
  readonly withoutWallet: string;
  readonly source: Pick<ChainSource, "mempoolSpender" | "confirmedOutput">;
  readonly book: BumpBook;
  readonly log: BumpLog;
  /** The operator's limit, which no refusal raises a fee above. */
  readonly highest: FeeratePerKw;
  /** The signed transaction. */
  readonly sign: (entry: ChannelEntry, publish: Publish) => Uint8Array;
}

export interface BumpJob {
  readonly entry: ChannelEntry;
  readonly claimId: Hash32;
  readonly bumpId: Hash32;
  readonly plan: BumpPlan;
  /** A block spent some of what the stored transaction spends: it cannot confirm any more. */
  readonly broken: boolean;
  readonly send: (rawTx: Uint8Array) => Promise<BroadcastResult>;
}

/**
 * "out": bitcoind has it. "unfunded": the wallet lacks coins, or needs too many of them. "outbid": its
 * fee was too low, up to the highest or to what is tried at one block. "refused": for another reason.
 */
export type BumpOutcome = "out" | "unfunded" | "outbid" | "refused";

/** Transactions made for one bump at one block: a fee 2.4 times as high at the next block. */
export const OFFERS_PER_BLOCK = 4;
/** A refused feerate is raised by 1/4, as forced bumps are (tx/package-feerate.ts). */
const RAISE_DIVISOR = 4;

export class BumpSender {
  readonly #deps: BumpSenderDeps;
  /** Raised after refusals, by bump; higher than the plan's or not there. */
  readonly #raised = new Map<Hash32, FeeratePerKw>();
  /** Transactions made since the last block, by bump. */
  readonly #offers = new Map<Hash32, number>();

  constructor(deps: BumpSenderDeps) {
    this.#deps = deps;
  }

  newBlock(): void {
    this.#offers.clear();
  }

  /** Throws ChainUnavailable when the source or the wallet does not answer. */
  async settle(job: BumpJob): Promise<BumpOutcome> {
    const stored = this.#deps.book.get(job.entry.channelNo, job.bumpId);
    if (stored === undefined || job.broken) return this.#fundAndSend(job);
    if (stored.feeratePerKw < this.#rateOf(job)) {
      const outcome = await this.#fundAndSend(job);
      return outcome === "out" ? "out" : this.#again(job, stored);
    }
    const outcome = await this.#again(job, stored);
    if (outcome === "outbid") return this.#raise(job, stored) ? this.#fundAndSend(job) : "outbid";
    return outcome === "refused" ? this.#remake(job, stored) : outcome;
  }

  /** For a transaction that somebody else's wallet completed. The error: not signed, or not taken. */
  async offer(job: BumpJob, funded: FundedTx): Promise<Result<SentBump, FundingFault | Refused>> {
    const fresh = await this.#complete(job, funded, job.plan.feeratePerKw);
    if (!fresh.ok) return fresh;
    const { sent } = fresh.value;
    const result = await job.send(sent.rawTx);
    if (result.kind !== "refused") {
      this.#deps.log.out(factsOf(job), detailsOf(sent));
      return ok(sent);
    }
    await this.#restore(job, fresh.value);
    return err(result);
  }

  /** The bump is over: its coins may be used again. */
  async forget(entry: ChannelEntry, sent: SentBump): Promise<void> {
    await this.#deps.book.remove(sent);
    this.#raised.delete(sent.bumpId);
    this.#deps.log.forget({ channelId: entry.channelId, bumpId: sent.bumpId });
    await this.#release(entry, sent, []);
  }

  async #fundAndSend(job: BumpJob): Promise<BumpOutcome> {
    for (;;) {
      const made = this.#offers.get(job.bumpId) ?? 0;
      if (made >= OFFERS_PER_BLOCK) return "outbid";
      this.#offers.set(job.bumpId, made + 1);
      const fresh = await this.#fund(job);
      if (typeof fresh === "string") return fresh;
      const outcome = await this.#send(job, fresh.sent);
      if (outcome === "out") return "out";
      await this.#restore(job, fresh);
      if (outcome === "refused" || !this.#raise(job, fresh.sent)) return outcome;
    }
  }

  /**
   * Only our own transaction counts. The counterparty's spend of an HTLC we can claim must be replaced
   * before it confirms: a low fee would otherwise keep our claim away for as long as it likes.
   */
  async #isOut({ own: [first], txid }: SentBump): Promise<boolean> {
    return first !== undefined && (await this.#deps.source.mempoolSpender(first)) === txid;
  }

  async #fund(job: BumpJob): Promise<Fresh | "unfunded" | "refused"> {
    const { wallet, book, log } = this.#deps;
    if (wallet === undefined) {
      log.waits(factsOf(job), this.#deps.withoutWallet);
      return "unfunded";
    }
    const plan = { ...job.plan, feeratePerKw: this.#rateOf(job) };
    const { channelNo } = job.entry;
    const funded = await wallet.fund(plan, {
      own: book.get(channelNo, job.bumpId)?.coins ?? [],
      others: book.coinsOfOthers(channelNo, job.bumpId),
    });
    if (!funded.ok) {
      log.waits(factsOf(job), funded.error);
      return "unfunded";
    }
    const fresh = await this.#complete(job, funded.value, plan.feeratePerKw);
    if (fresh.ok) return fresh.value;
    this.#raised.delete(job.bumpId); // too many coins for the raised feerate: from the target again
    log.waits(factsOf(job), `the wallet's transaction is not signed: ${fresh.error}`);
    return fresh.error === "tooHeavy" ? "unfunded" : "refused";
  }

  async #complete(
    job: BumpJob,
    funded: FundedTx,
    rate: FeeratePerKw,
  ): Promise<Result<Fresh, FundingFault>> {
    const { book, sign } = this.#deps;
    const { entry, bumpId, claimId } = job;
    const publish = completeBump(job.plan, funded);
    if (!publish.ok) return publish;
    const rawTx = Uint8Array.from(sign(entry, publish.value));
    const { channelNo } = entry;
    const before = book.get(channelNo, bumpId);
    const sent = await book.put({ channelNo, bumpId, claimId, feeratePerKw: rate, rawTx });
    await this.#keep(job, sent);
    return ok({ sent, before });
  }

  /** Locks guard against other users of the wallet only: without them a coin may be lost to one. */
  async #keep(job: BumpJob, { coins }: SentBump): Promise<void> {
    try {
      await this.#deps.wallet?.keep(coins);
    } catch (error) {
      this.#deps.log.warn({ ...factsOf(job), cause: causeOf(error) }, "coins are not locked");
    }
  }

  async #again(job: BumpJob, stored: SentBump): Promise<BumpOutcome> {
    return (await this.#isOut(stored)) ? "out" : this.#send(job, stored);
  }

  async #send(job: BumpJob, sent: SentBump): Promise<BumpOutcome> {
    const { log } = this.#deps;
    const result = await job.send(sent.rawTx);
    if (result.kind !== "refused") {
      log.out(factsOf(job), detailsOf(sent));
      return "out";
    }
    log.waits(factsOf(job), `broadcast refused: ${result.reason} ${result.message}`);
    if (result.reason === "nonFinal") return "out"; // a later block takes it as it is
    return result.reason === "insufficientFee" ? "outbid" : "refused";
  }

  /** A stored one that is refused for good, because a coin of it is gone, is made anew. */
  async #remake(job: BumpJob, stored: SentBump): Promise<BumpOutcome> {
    for (const coin of stored.coins) {
      if ((await this.#deps.source.confirmedOutput(coin)) !== undefined) continue;
      await this.forget(job.entry, stored);
      return this.#fundAndSend(job);
    }
    return "refused";
  }

  /** Back to the transaction that the refused one should have replaced. */
  async #restore({ entry }: BumpJob, { sent, before }: Fresh): Promise<void> {
    const { book } = this.#deps;
    await (before === undefined ? book.remove(sent) : book.put(before));
    await this.#release(entry, sent, before?.coins ?? []);
  }

  async #release(entry: ChannelEntry, sent: SentBump, kept: SentBump["coins"]): Promise<void> {
    const { wallet, log } = this.#deps;
    const keys = new Set(kept.map(outpointKey));
    try {
      await wallet?.release(
        sent.txid,
        sent.coins.filter((coin) => !keys.has(outpointKey(coin))),
      );
    } catch (error) {
      const facts = { channelId: entry.channelId, cause: causeOf(error) };
      log.warn(facts, "wallet coins stay locked until bitcoind restarts");
    }
  }

  #rateOf({ bumpId, plan }: BumpJob): FeeratePerKw {
    return feeratePerKw(Math.max(plan.feeratePerKw, this.#raised.get(bumpId) ?? 0));
  }

  /** BIP 125 rule 4 wants more than a quarter of a low feerate. False at the highest one, or at the operator's limit. */
  #raise({ bumpId, plan }: BumpJob, { feeratePerKw: before }: SentBump): boolean {
    const step = Math.max(Math.ceil(before / RAISE_DIVISOR), INCREMENTAL_RELAY_FEERATE);
    const limit = Math.min(dearest(plan).feeratePerKw, this.#deps.highest);
    const next = feeratePerKw(Math.min(before + step, limit));
    if (next <= before) return false;
    this.#raised.set(bumpId, next);
    return true;
  }
}

type Refused = Extract<BroadcastResult, { kind: "refused" }>;

interface Fresh {
  readonly sent: SentBump;
  /** Of the same bump, replaced by it. */
  readonly before: SentBump | undefined;
}

const factsOf = ({ entry, bumpId, plan }: BumpJob): BumpFacts => ({
  channelId: entry.channelId,
  role: plan.role,
  bumpId,
});

const detailsOf = ({ txid, feeratePerKw, own }: SentBump) => ({
  txid,
  feeratePerKw,
  claims: own.length,
});
