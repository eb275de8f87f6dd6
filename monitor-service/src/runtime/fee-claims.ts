/**
 * Second stages that pay no fee: funded from the operator's wallet, checked, signed, broadcast
 * (onchain-engine 9.10). What was signed is remembered in memory only and sent again while it is
 * wanted; after a restart the mempool tells whether it is still out. A spend by anybody else is
 * competed with, at a rising feerate. Never throws: what fails is tried again at the next block.
 */
import type { ChainSource } from "../chain/chain-source.js";
import type { FeeWallet } from "../chain/fee-wallet.js";
import type { FeelessClaim } from "../monitor/effect.js";
import { feeratePerKw, type FeeratePerKw } from "@farwatch/protocol/amount";
import { outpointKey, type Txid } from "@farwatch/protocol/ids";
import type { ChannelSigner } from "../signer/signer.js";
import { INCREMENTAL_RELAY_FEERATE } from "../tx/fee.js";
import type { FundedTx } from "../tx/funded-htlc.js";
import type { HostLog } from "./deps.js";
import { causeOf } from "./error-cause.js";
import type { ChannelEntry } from "./monitors.js";
import { isOwnSecondStage } from "./own-second-stage.js";

export interface FeeClaimsDeps {
  readonly wallet: FeeWallet | undefined;
  readonly source: Pick<ChainSource, "broadcast" | "mempoolSpender" | "mempoolTx">;
  readonly signer: ChannelSigner;
  readonly log: HostLog;
}

interface Signed {
  readonly txid: Txid;
  readonly rawTx: Uint8Array;
  readonly funded: FundedTx;
}

/** What was done so far about one outpoint. */
interface Attempt {
  /** The newest transaction of ours that bitcoind did not refuse. */
  signed: Signed | undefined;
  /** Raised after refusals; 0: the claim's own target. */
  feerate: number;
}

/** One claim of one channel, with what the log says about it. */
interface Subject {
  readonly entry: ChannelEntry;
  readonly claim: FeelessClaim;
  readonly wallet: FeeWallet;
  readonly key: string;
  readonly attempt: Attempt;
}

/** "tooCheap": another one with a higher fee may be taken. */
type Sent = "kept" | "refused" | "tooCheap";

/** Transactions made for one HTLC at one block: a fee 2.4 times as high at the next block. */
export const OFFERS_PER_BLOCK = 4;
/** A refused feerate is raised by 1/4, as forced bumps are (tx/fee.ts). */
const RAISE_DIVISOR = 4;

export class FeeClaims {
  readonly #deps: FeeClaimsDeps;
  /** By channel and outpoint. */
  readonly #attempts = new Map<ChannelEntry, Map<string, Attempt>>();
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

  /** At most once a block for each outpoint. False: no answer, ask again when there may be one. */
  async publish(entry: ChannelEntry, claim: FeelessClaim): Promise<boolean> {
    const key = outpointKey(claim.outpoint);
    if (this.#tried.has(key)) return true;
    this.#tried.add(key);
    const { wallet } = this.#deps;
    if (wallet === undefined) {
      this.#warn(entry, claim, "no wallet is configured");
      return true;
    }
    try {
      await this.#publish({ entry, claim, wallet, key, attempt: this.#attemptOf(entry, key) });
      return true;
    } catch (error) {
      this.#warn(entry, claim, causeOf(error));
      this.#tried.delete(key);
      return false;
    }
  }

  /** Forgets transactions of this channel that are not wanted any more and gives their coins back. */
  async keepOnly(entry: ChannelEntry, wanted: readonly FeelessClaim[]): Promise<void> {
    const attempts = this.#attempts.get(entry);
    const { wallet } = this.#deps;
    if (attempts === undefined || wallet === undefined) return;
    const keys = new Set(wanted.map(({ outpoint }) => outpointKey(outpoint)));
    for (const [key, { signed }] of attempts) {
      if (keys.has(key)) continue;
      this.#told.delete(key);
      attempts.delete(key);
      if (signed !== undefined) await this.#release(entry, wallet, signed.funded);
    }
    if (attempts.size === 0) this.#attempts.delete(entry);
  }

  #attemptOf(entry: ChannelEntry, key: string): Attempt {
    const ofChannel = this.#attempts.get(entry) ?? new Map<string, Attempt>();
    this.#attempts.set(entry, ofChannel);
    const attempt = ofChannel.get(key) ?? { signed: undefined, feerate: 0 };
    ofChannel.set(key, attempt);
    return attempt;
  }

  async #publish(subject: Subject): Promise<void> {
    const { attempt } = subject;
    if (await this.#isOut(subject)) return;
    const { signed } = attempt;
    if (signed !== undefined && (await this.#send(subject, signed)) === "kept") return;
    for (let offers = 0; offers < OFFERS_PER_BLOCK; offers++) {
      const fresh = await this.#fund(subject);
      if (fresh === undefined || (await this.#send(subject, fresh)) !== "tooCheap") return;
    }
  }

  /**
   * Only our own transaction counts. The counterparty's spend of an HTLC we can claim must be replaced
   * before it confirms: a low fee would otherwise keep our claim away for as long as it likes.
   */
  async #isOut({ claim, attempt }: Subject): Promise<boolean> {
    const { source } = this.#deps;
    const spender = await source.mempoolSpender(claim.outpoint);
    if (spender === undefined || spender === attempt.signed?.txid) return spender !== undefined;
    const rawTx = await source.mempoolTx(spender);
    return rawTx !== undefined && isOwnSecondStage(claim, rawTx);
  }

  async #fund({ entry, claim, wallet, attempt }: Subject): Promise<Signed | undefined> {
    const funded = await wallet.fund(claim, feerateOf(claim, attempt));
    if (!funded.ok) {
      this.#warn(entry, claim, funded.error);
      return undefined;
    }
    try {
      const signed = this.#sign(entry, claim, funded.value);
      if (signed !== undefined) {
        attempt.signed = signed;
        return signed;
      }
      attempt.feerate = 0; // too many coins for the raised feerate: starts again from the target
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

  /** Unless it is kept, its coins are free again. */
  async #send({ entry, claim, wallet, key, attempt }: Subject, signed: Signed): Promise<Sent> {
    const result = await this.#deps.source.broadcast(signed.rawTx);
    if (result.kind !== "refused") {
      this.#told.delete(key);
      const facts = { channelId: entry.channelId, role: claim.role, txid: signed.txid };
      this.#deps.log.info({ ...facts, result: result.kind }, "broadcast");
      return "kept";
    }
    this.#warn(entry, claim, `broadcast refused: ${result.reason} ${result.message}`);
    if (result.reason === "nonFinal") return "kept"; // a later block takes it as it is
    attempt.signed = undefined;
    await this.#release(entry, wallet, signed.funded);
    return result.reason === "insufficientFee" && raise(claim, attempt) ? "tooCheap" : "refused";
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

const feerateOf = (claim: FeelessClaim, { feerate }: Attempt): FeeratePerKw =>
  feeratePerKw(Math.max(feerate, claim.targetFeerate));

/** BIP 125 rule 4 wants more than a quarter of a low feerate. False at the highest one. */
function raise(claim: FeelessClaim, attempt: Attempt): boolean {
  const before = feerateOf(claim, attempt);
  const step = Math.max(Math.ceil(before / RAISE_DIVISOR), INCREMENTAL_RELAY_FEERATE);
  attempt.feerate = Math.min(before + step, claim.highestFeerate);
  return attempt.feerate > before;
}
