/**
 * Brings outstanding transactions to the network: asks the durable state what should be out, signs,
 * broadcasts. It holds no queue of its own work: what is refused or lost is outstanding again at the
 * next block or after the outage (architecture 3.6). Never throws; one transaction's failure never stops another.
 */
import type { Txid } from "@farwatch/protocol/ids";
import type { ChainSource } from "../chain/chain-source.js";
import type { FeeWallet } from "../chain/fee-wallet.js";
import type { MonitorContext } from "../monitor/context.js";
import type { FeelessClaim, Publish } from "../monitor/effect.js";
import { feelessClaims } from "../monitor/feeless-claims.js";
import { outstanding } from "../monitor/outstanding.js";
import { SigningRefused } from "../signer/holder-floors.js";
import type { ChannelSigner } from "../signer/signer.js";
import type { HostLog } from "./deps.js";
import { causeOf } from "./error-cause.js";
import { FeeClaims } from "./fee-claims.js";
import type { ChannelEntry } from "./monitors.js";

export interface PublisherDeps {
  readonly context: MonitorContext;
  readonly signer: ChannelSigner;
  readonly source: Pick<ChainSource, "broadcast" | "mempoolSpender" | "mempoolTx">;
  readonly log: HostLog;
  readonly wallet: FeeWallet | undefined;
}

export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #feeClaims: FeeClaims;
  readonly #requested = new Set<ChannelEntry>();
  /** Accepted since the last block, per channel: not sent again before the next one. */
  readonly #accepted = new Map<ChannelEntry, Set<Txid>>();
  /** The source did not answer for something of theirs. */
  readonly #failed = new Set<ChannelEntry>();
  #running: Promise<void> = Promise.resolve();
  #active = false;
  #stopped = false;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    this.#feeClaims = new FeeClaims(deps);
  }

  /** The channel's durable state moved: publishes what became outstanding, in the background. */
  request(entry: ChannelEntry): void {
    if (this.#stopped || !mayPublish(entry)) return;
    this.#requested.add(entry);
    if (this.#active) return;
    this.#active = true;
    this.#running = Promise.resolve().then(() => this.#run());
  }

  /** A block came or went: what was accepted before it is sent again when next requested. */
  newBlock(): void {
    this.#accepted.clear();
    this.#feeClaims.newBlock();
  }

  /** After an outage: the source may have started anew, without its mempool. */
  offerAgain(entries: Iterable<ChannelEntry>): void {
    this.newBlock();
    for (const entry of entries) this.request(entry);
  }

  /** What the source did not answer for; for outages too short for the follower to see. */
  retryFailed(): void {
    const failed = [...this.#failed];
    this.#failed.clear();
    for (const entry of failed) this.request(entry);
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
      const wanted = this.#outstanding(entry);
      if (wanted === undefined) continue;
      const { publishes, feeless } = wanted;
      for (const publish of publishes) {
        if (this.#stopped) break;
        await this.#publish(entry, publish);
      }
      for (const claim of feeless) {
        if (this.#stopped) break;
        if (!(await this.#feeClaims.publish(entry, claim))) this.#failed.add(entry);
      }
      if (!this.#stopped) await this.#feeClaims.keepOnly(entry, feeless);
    }
    this.#active = false;
  }

  #outstanding(entry: ChannelEntry): Outstanding | undefined {
    const { context } = this.#deps;
    try {
      return {
        publishes: outstanding(context, entry.durable),
        feeless: feelessClaims(context, entry.durable),
      };
    } catch (error) {
      const { channelId } = entry;
      this.#deps.log.error({ channelId, cause: causeOf(error) }, "claims cannot be built");
      return undefined;
    }
  }

  async #publish(entry: ChannelEntry, publish: Publish): Promise<void> {
    const { role, txid } = publish;
    const accepted = this.#accepted.get(entry) ?? new Set();
    if (accepted.has(txid)) return;
    const facts = { channelId: entry.channelId, role, txid };
    try {
      const { channelKeysId } = entry.durable.parameters;
      const signatures = this.#deps.signer.sign(channelKeysId, publish.tasks);
      const result = await this.#deps.source.broadcast(publish.finish(signatures));
      if (result.kind === "refused") {
        const { reason, message } = result;
        this.#deps.log.warn({ ...facts, reason, message }, "broadcast refused");
        return;
      }
      accepted.add(txid);
      this.#accepted.set(entry, accepted);
      this.#deps.log.info({ ...facts, result: result.kind }, "broadcast");
    } catch (error) {
      if (error instanceof SigningRefused) {
        const { commitmentNumber, floor } = error;
        this.#deps.log.error({ ...facts, commitmentNumber, floor }, "revoked: not signed");
        return;
      }
      this.#deps.log.warn({ ...facts, cause: causeOf(error) }, "broadcast failed");
      this.#failed.add(entry);
    }
  }
}

interface Outstanding {
  readonly publishes: readonly Publish[];
  readonly feeless: readonly FeelessClaim[];
}

/** Open channels have nothing outstanding: they are most of all channels at every block. */
const mayPublish = ({ durable }: ChannelEntry): boolean =>
  durable.holderBroadcast !== undefined ||
  durable.claims.length > 0 ||
  durable.holderHtlcClaims.length > 0;
