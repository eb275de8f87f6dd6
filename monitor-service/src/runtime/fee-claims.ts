/**
 * Second stages that pay no fee: funded from the operator's wallet, checked, signed, broadcast
 * (onchain-engine 9.10). What was signed is remembered in memory only and sent again while it is
 * wanted; after a restart the mempool tells whether it is still out. Never throws: what fails is
 * tried again at the next block.
 */
import type { ChainSource } from "../chain/chain-source.js";
import type { FeeWallet } from "../chain/fee-wallet.js";
import type { FeelessClaim } from "../monitor/effect.js";
import { outpointKey } from "@farwatch/protocol/ids";
import type { ChannelSigner } from "../signer/signer.js";
import type { FundedTx } from "../tx/funded-htlc.js";
import type { HostLog } from "./deps.js";
import { causeOf } from "./error-cause.js";
import type { ChannelEntry } from "./monitors.js";

export interface FeeClaimsDeps {
  readonly wallet: FeeWallet | undefined;
  readonly source: Pick<ChainSource, "broadcast" | "mempoolSpender">;
  readonly signer: ChannelSigner;
  readonly log: HostLog;
}

interface Signed {
  readonly txid: string;
  readonly rawTx: Uint8Array;
  readonly funded: FundedTx;
}

/** One claim of one channel, with what the log says about it. */
interface Subject {
  readonly entry: ChannelEntry;
  readonly claim: FeelessClaim;
  readonly wallet: FeeWallet;
  readonly key: string;
}

export class FeeClaims {
  readonly #deps: FeeClaimsDeps;
  /** By channel and outpoint: the newest transaction of ours that bitcoind did not refuse. */
  readonly #signed = new Map<ChannelEntry, Map<string, Signed>>();
  /** Outpoints looked at since the last block. */
  readonly #tried = new Set<string>();
  /** By outpoint: the trouble told last, so that each is told once and not at every block. */
  readonly #told = new Map<string, string>();

  constructor(deps: FeeClaimsDeps) {
    this.#deps = deps;
  }

  newBlock(): void {
    this.#tried.clear();
  }

  /** At most once a block for each outpoint. */
  async publish(entry: ChannelEntry, claim: FeelessClaim): Promise<void> {
    const key = outpointKey(claim.outpoint);
    if (this.#tried.has(key)) return;
    this.#tried.add(key);
    const { wallet } = this.#deps;
    if (wallet === undefined) {
      this.#warn(entry, claim, "no wallet is configured");
      return;
    }
    try {
      await this.#publish({ entry, claim, wallet, key });
    } catch (error) {
      this.#warn(entry, claim, causeOf(error));
    }
  }

  /** Forgets transactions of this channel that are not wanted any more and gives their coins back. */
  async keepOnly(entry: ChannelEntry, wanted: readonly FeelessClaim[]): Promise<void> {
    const signed = this.#signed.get(entry);
    const { wallet } = this.#deps;
    if (signed === undefined || wallet === undefined) return;
    const keys = new Set(wanted.map(({ outpoint }) => outpointKey(outpoint)));
    for (const [key, { funded }] of signed) {
      if (keys.has(key)) continue;
      this.#told.delete(key);
      await this.#forget(entry, wallet, key, funded);
    }
    if (signed.size === 0) this.#signed.delete(entry);
  }

  async #publish(subject: Subject): Promise<void> {
    const { entry, claim, key } = subject;
    if ((await this.#deps.source.mempoolSpender(claim.outpoint)) !== undefined) return;
    const known = this.#signed.get(entry)?.get(key);
    if (known !== undefined && (await this.#send(subject, known))) return;
    const fresh = await this.#fund(subject);
    if (fresh !== undefined) await this.#send(subject, fresh);
  }

  async #fund({ entry, claim, wallet, key }: Subject): Promise<Signed | undefined> {
    const funded = await wallet.fund(claim, claim.targetFeerate);
    if (!funded.ok) {
      this.#warn(entry, claim, funded.error);
      return undefined;
    }
    try {
      const signed = this.#sign(entry, claim, funded.value);
      if (signed !== undefined) {
        const ofChannel = this.#signed.get(entry) ?? new Map<string, Signed>();
        this.#signed.set(entry, ofChannel.set(key, signed));
        return signed;
      }
    } catch (error) {
      this.#warn(entry, claim, causeOf(error));
    }
    await this.#release(entry, wallet, funded.value);
    return undefined;
  }

  #sign(entry: ChannelEntry, claim: FeelessClaim, funded: FundedTx): Signed | undefined {
    const publish = claim.complete(funded);
    if (!publish.ok) {
      this.#warn(entry, claim, `the wallet's transaction is not signed: ${publish.error}`);
      return undefined;
    }
    const { tasks, finish, txid } = publish.value;
    const { channelKeysId } = entry.durable.parameters;
    const rawTx = finish(this.#deps.signer.sign(channelKeysId, tasks));
    return { txid, rawTx, funded };
  }

  /** False when it was refused for good; its coins are free again then. */
  async #send({ entry, claim, wallet, key }: Subject, signed: Signed): Promise<boolean> {
    const result = await this.#deps.source.broadcast(signed.rawTx);
    if (result.kind !== "refused") {
      this.#told.delete(key);
      const facts = { channelId: entry.channelId, role: claim.role, txid: signed.txid };
      this.#deps.log.info({ ...facts, result: result.kind }, "broadcast");
      return true;
    }
    this.#warn(entry, claim, `broadcast refused: ${result.reason} ${result.message}`);
    if (result.reason === "nonFinal") return true; // a later block takes it as it is
    await this.#forget(entry, wallet, key, signed.funded);
    return false;
  }

  async #forget(
    entry: ChannelEntry,
    wallet: FeeWallet,
    key: string,
    funded: FundedTx,
  ): Promise<void> {
    this.#signed.get(entry)?.delete(key);
    await this.#release(entry, wallet, funded);
  }

  async #release({ channelId }: ChannelEntry, wallet: FeeWallet, funded: FundedTx): Promise<void> {
    try {
      await wallet.release(funded);
    } catch (error) {
      const facts = { channelId, cause: causeOf(error) };
      this.#deps.log.warn(facts, "wallet coins stay locked until bitcoind restarts");
    }
  }

  #warn({ channelId }: ChannelEntry, { role, outpoint }: FeelessClaim, cause: string): void {
    const key = outpointKey(outpoint);
    if (this.#told.get(key) === cause) return;
    this.#told.set(key, cause);
    this.#deps.log.warn({ channelId, role, outpoint: key, cause }, "an HTLC waits for a fee");
  }
}
