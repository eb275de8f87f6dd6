/**
 * Brings outstanding transactions to the network: asks the durable state what should be out, signs,
 * broadcasts. It holds no queue of its own work: what is refused or lost is outstanding again at the
 * next block, the next round of offering again, or after the outage (architecture 3.6). Never throws; one
 * transaction's failure never stops another.
 */
import type { BumpItem } from "@farwatch/protocol/bump";
import type { ChannelId, Txid } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, type Result } from "@farwatch/protocol/result";
import type { BroadcastResult, ChainSource } from "../chain/chain-source.js";
import type { FeeWallet } from "../chain/fee-wallet.js";
import { maxFeerateOf, type MonitorContext } from "../monitor/context.js";
import type { BumpRequest, Publish, PublishRole } from "../monitor/effect.js";
import { bumpMessage } from "../monitor/bumps/bump-message.js";
import { bumpRequests } from "../monitor/bumps/bump-requests.js";
import { outstanding } from "../monitor/outstanding.js";
import { outstandingPenalties } from "../monitor/penalty/outstanding.js";
import { SigningRefused } from "../signer/holder-floors.js";
import type { ChannelSigner } from "../signer/signer.js";
import type { BumpBook } from "./bumps/bump-book.js";
import { BumpLog } from "./bumps/bump-log.js";
import { BumpSender } from "./bumps/bump-sender.js";
import { Bumper } from "./bumps/bumper.js";
import type { HostLog } from "./deps.js";
import { causeOf } from "./error-cause.js";
import type { BumpAnswer } from "./monitor-host.js";
import type { AnyEntry, ChannelEntry } from "./monitors.js";

export interface PublisherDeps {
  readonly context: MonitorContext;
  readonly signer: ChannelSigner;
  readonly source: Pick<
    ChainSource,
    "broadcast" | "broadcastPackage" | "mempoolSpender" | "confirmedOutput"
  >;
  readonly log: HostLog;
  readonly wallet: FeeWallet | undefined;
  readonly book: BumpBook;
  /** Tells the manager's wallet what it is asked for now. undefined: no manager's wallet is asked. */
  readonly announce?: ((entry: ChannelEntry, items: readonly BumpItem[]) => void) | undefined;
  /** Lets the core decide about a refused claim; what it decides is requested again. */
  readonly claimRefused: (entry: ChannelEntry, publish: Publish, why: Refused) => Promise<void>;
}

type Refused = Extract<BroadcastResult, { kind: "refused" }>["reason"];

export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #bumper: Bumper;
  readonly #requested = new Set<AnyEntry>();
  /** Answered since the last round, per channel: not sent again before the next one. */
  readonly #offered = new Map<AnyEntry, Set<Txid>>();
  /** What was logged since the last block: once is enough. */
  readonly #told = new Set<string>();
  /** The source did not answer for something of theirs. */
  readonly #failed = new Set<AnyEntry>();
  #running: Promise<void> = Promise.resolve();
  #active = false;
  #stopped = false;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    const log = new BumpLog(deps.log);
    const sign = (entry: ChannelEntry, publish: Publish) => this.#sign(entry, publish);
    const withoutWallet =
      deps.announce === undefined ? "no wallet is configured" : "a wallet of the manager is asked";
    const highest = maxFeerateOf(deps.context);
    const sender = new BumpSender({ ...deps, withoutWallet, log, highest, sign });
    this.#bumper = new Bumper({ ...deps, log, sender, sign });
  }

  /** The channel's durable state moved: publishes what became outstanding, in the background. */
  request(entry: AnyEntry): void {
    if (this.#stopped || !mayPublish(entry)) return;
    this.#requested.add(entry);
    if (this.#active) return;
    this.#active = true;
    this.#running = Promise.resolve().then(() => this.#run());
  }

  /**
   * At the start, before anybody is served: what managers' wallets were asked for is asked for again. What is
   * missing in the replay of a stream is over, and publishing may take long.
   */
  announceAll(entries: Iterable<ChannelEntry>): void {
    if (this.#deps.announce === undefined) return;
    for (const entry of entries) {
      const wanted = mayPublish(entry) ? this.#outstanding(entry) : undefined;
      if (wanted !== undefined) this.#announce(entry, wanted.bumps);
    }
  }

  /** A block came or went: what was accepted before it is sent again when next requested. */
  newBlock(): void {
    this.#offered.clear();
    this.#told.clear();
    this.#bumper.newBlock();
  }

  /** A mempool may have dropped or lost something without our knowing (onchain-engine 9.7). */
  rebroadcast(entries: Iterable<AnyEntry>): void {
    this.#offered.clear();
    this.#bumper.again();
    for (const entry of entries) this.request(entry);
  }

  /** After an outage: the source may have started anew, without its mempool. */
  offerAgain(entries: Iterable<AnyEntry>): void {
    this.newBlock();
    for (const entry of entries) this.request(entry);
  }

  /** What the source did not answer for; for outages too short for the follower to see. */
  retryFailed(): void {
    const failed = [...this.#failed];
    this.#failed.clear();
    for (const entry of failed) this.request(entry);
  }

  /** A wallet of the manager answered one of its requests. Throws ChainUnavailable. */
  async answer(
    entry: ChannelEntry,
    { claimId, funded }: Pick<BumpAnswer, "claimId" | "funded">,
  ): Promise<Result<Txid, Refusal>> {
    const requests = bumpRequests(this.#deps.context, entry.durable);
    const request = requests.find((open) => open.claimId === claimId);
    if (request === undefined)
      return err(refuse("claimUnknown", "no open request has this claim_id"));
    return this.#bumper.answer(entry, request, funded);
  }

  /** Resolves when nothing requested so far is left. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Ends after the transaction under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#requested.clear();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (;;) {
      const [entry] = this.#requested;
      if (entry === undefined) break;
      this.#requested.delete(entry);
      this.#failed.delete(entry);
      if (entry.kind === "penaltyOnly") {
        await this.#publishAll(entry, outstandingPenalties(entry.durable));
        continue;
      }
      const wanted = this.#outstanding(entry);
      if (wanted === undefined) continue;
      const { publishes, bumps } = wanted;
      this.#announce(entry, bumps);
      await this.#publishAll(entry, publishes);
      for (const request of bumps) {
        if (this.#stopped) break;
        await this.#bump(entry, request);
      }
      if (!this.#stopped) await this.#forgetOver(entry);
    }
    this.#active = false;
  }

  #outstanding(entry: ChannelEntry): Outstanding | undefined {
    const { context } = this.#deps;
    try {
      const bumps = bumpRequests(context, entry.durable);
      const bumped = new Set(
        bumps.flatMap((bump) => (bump.kind === "commitment" ? [bump.commitment.txid] : [])),
      );
      // The bumper sends a commitment together with its child.
      const publishes = outstanding(context, entry.durable).filter(({ txid }) => !bumped.has(txid));
      return { publishes, bumps };
    } catch (error) {
      const { channelId } = entry;
      this.#deps.log.error({ channelId, cause: causeOf(error) }, "claims cannot be built");
      return undefined;
    }
  }

  async #publishAll(entry: AnyEntry, publishes: readonly Publish[]): Promise<void> {
    for (const publish of publishes) {
      if (this.#stopped) return;
      await this.#publish(entry, publish);
    }
  }

  async #publish(entry: AnyEntry, publish: Publish): Promise<void> {
    const { role, txid } = publish;
    const offered = this.#offered.get(entry) ?? new Set();
    if (offered.has(txid)) return;
    this.#offered.set(entry, offered);
    const facts = { channelId: entry.channelId, role, txid };
    try {
      const result = await this.#deps.source.broadcast(this.#sign(entry, publish));
      offered.add(txid);
      this.#tell(facts, publish, result);
      if (result.kind === "refused" && entry.kind === "full") {
        await this.#deps.claimRefused(entry, publish, result.reason);
      }
    } catch (error) {
      this.#onFailure(entry, facts, error);
    }
  }

  #announce(entry: ChannelEntry, requests: readonly BumpRequest[]): void {
    const { announce } = this.#deps;
    if (announce === undefined) return;
    const { channelId } = entry;
    try {
      const items = requests.flatMap((request): readonly BumpItem[] => {
        const signed =
          request.kind === "commitment" ? this.#sign(entry, request.commitment) : new Uint8Array();
        const message = bumpMessage(request, signed);
        return message === undefined ? [] : [{ channelId, request: message }];
      });
      announce(entry, items);
    } catch (error) {
      this.#onFailure(entry, { channelId }, error);
    }
  }

  async #bump(entry: ChannelEntry, request: BumpRequest): Promise<void> {
    try {
      await this.#bumper.publish(entry, request);
    } catch (error) {
      const { kind, claimId } = request;
      this.#onFailure(entry, { channelId: entry.channelId, bump: kind, claimId }, error);
    }
  }

  async #forgetOver(entry: ChannelEntry): Promise<void> {
    try {
      await this.#bumper.forgetOver(entry);
    } catch (error) {
      this.#onFailure(entry, { channelId: entry.channelId }, error);
    }
  }

  #sign(entry: AnyEntry, { tasks, finish }: Publish): Uint8Array {
    if (entry.kind === "penaltyOnly") return finish([]);
    return finish(this.#deps.signer.sign(entry.durable.parameters.channelKeysId, tasks));
  }

  #onFailure(entry: AnyEntry, facts: LogFacts, error: unknown): void {
    if (error instanceof SigningRefused) {
      const { commitmentNumber, floor } = error;
      this.#deps.log.error({ ...facts, commitmentNumber, floor }, "revoked: not signed");
      return;
    }
    const cause = causeOf(error);
    const key = `${entry.channelId} ${cause}`;
    if (!this.#told.has(key)) this.#deps.log.warn({ ...facts, cause }, "broadcast failed");
    this.#told.add(key);
    this.#failed.add(entry);
  }

  /** The same answer about the same transaction is logged once a block. */
  #tell(facts: Facts, { claim }: Publish, result: BroadcastResult): void {
    const { log } = this.#deps;
    const about = result.kind === "refused" ? result.reason : "out";
    const key = `${facts.txid} ${about}`;
    if (this.#told.has(key) && result.kind !== "accepted") return;
    this.#told.add(key);
    if (result.kind === "refused") {
      const { reason, message } = result;
      log.warn({ ...facts, reason, message }, "broadcast refused");
    } else {
      log.info({ ...facts, result: result.kind }, "broadcast");
    }
    if (claim?.atLimit === true) {
      log.warn({ ...facts, claim: claim.id }, "a claim cannot pay more: its limit is reached");
    }
  }
}

type LogFacts = Readonly<Record<string, unknown>>;

interface Facts {
  readonly channelId: ChannelId;
  readonly role: PublishRole;
  readonly txid: Txid;
}

interface Outstanding {
  readonly publishes: readonly Publish[];
  readonly bumps: readonly BumpRequest[];
}

/** Open channels have nothing outstanding: they are most of all channels at every block. */
const mayPublish = (entry: AnyEntry): boolean => {
  if (entry.kind === "penaltyOnly") return entry.durable.seen.length > 0;
  const { holderBroadcast, seenSpend, claims, holderHtlcClaims } = entry.durable;
  return (
    holderBroadcast !== undefined ||
    seenSpend?.lostAt !== undefined ||
    claims.length > 0 ||
    holderHtlcClaims.length > 0
  );
};
