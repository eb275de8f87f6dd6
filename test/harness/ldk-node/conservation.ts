/**
 * Every satoshi of a channel, followed from the funding output to the wallets: what each side got, less the
 * coins it put in, plus the fees that were its to pay, must be what the channel owed it. Whose fee: a
 * transaction that spends the funding output is paid by the opener (BOLT 3, also both anchors), any other by
 * the side whose wallet it ends in.
 */
import { must } from "@farwatch/protocol/assert";
import type { BlockTx } from "../cluster/chain-facts.js";
import { toSat, type ChainIndex } from "./chain-index.js";

/** BOLT 3. An anchor nobody spent stays the opener's loss. */
const ANCHOR_SAT = 330n;

export interface Accounts {
  /** By name of the node. */
  readonly net: ReadonlyMap<string, bigint>;
  /** What the wallets got less what they put in: their balances move by this. */
  readonly toWallets: ReadonlyMap<string, bigint>;
  readonly feesSat: bigint;
  /** Outputs that nobody has spent and that are in no wallet, anchors apart: not over yet. */
  readonly unsettled: readonly string[];
}

export interface AccountsOf {
  /** "txid:vout". */
  readonly funding: string;
  readonly opener: string;
  /** Who pays for the transaction that spends the funding output, if not the opener. */
  readonly payer?: string;
  /** Outputs too small to be worth a transaction, by outpoint: whose they are. */
  readonly notSwept?: ReadonlyMap<string, string>;
}

export async function accountsOf(index: ChainIndex, of: AccountsOf): Promise<Accounts> {
  const walk = new Walk(index, of);
  const first = index.spenderOf(of.funding);
  if (first === undefined) walk.unsettled.push(of.funding);
  else await walk.visit(first);
  return walk;
}

class Walk implements Accounts {
  readonly net = new Map<string, bigint>();
  readonly toWallets = new Map<string, bigint>();
  readonly unsettled: string[] = [];
  feesSat = 0n;
  readonly #seen = new Set<string>();
  readonly #tree = new Set<string>();

  constructor(
    private readonly index: ChainIndex,
    private readonly of: AccountsOf,
  ) {
    this.#tree.add(of.funding);
  }

  async visit(tx: BlockTx): Promise<void> {
    if (this.#seen.has(tx.txid)) return;
    this.#seen.add(tx.txid);
    const { payer, opener } = this.of;
    const isFirst = tx.vin.some(({ txid, vout }) => `${txid}:${vout}` === this.of.funding);
    const whose = isFirst ? (payer ?? opener) : must(await this.#ownerOf(tx), `owner ${tx.txid}`);
    const paid = await this.#inputs(tx, whose);
    const given = tx.vout.reduce((sum, { value }) => sum + toSat(value), 0n);
    this.feesSat += paid - given;
    this.#credit(whose, paid - given);
    const open: { readonly outpoint: string; readonly value: bigint }[] = [];
    for (const { n, value, scriptPubKey } of tx.vout) {
      const outpoint = `${tx.txid}:${n}`;
      const owner = await this.index.ownerOf(scriptPubKey.hex);
      if (owner !== undefined) {
        this.#credit(owner, toSat(value));
        this.#wallet(owner, toSat(value));
        continue;
      }
      this.#tree.add(outpoint);
      open.push({ outpoint, value: toSat(value) });
    }
    // After all of them are known to be the channel's: one transaction may spend several.
    for (const { outpoint, value } of open) await this.#follow(outpoint, value, isFirst);
  }

  async #follow(outpoint: string, value: bigint, fromFirst: boolean): Promise<void> {
    const { payer, opener, notSwept } = this.of;
    const spender = this.index.spenderOf(outpoint);
    const kept = notSwept?.get(outpoint);
    if (spender !== undefined) await this.visit(spender);
    else if (kept !== undefined) this.#credit(kept, value);
    else if (fromFirst && value === ANCHOR_SAT) this.#credit(payer ?? opener, value);
    else this.unsettled.push(outpoint);
  }

  /** Sum of the inputs; coins from outside are what somebody's wallet put in. */
  async #inputs(tx: BlockTx, whose: string): Promise<bigint> {
    let sum = 0n;
    for (const { txid, vout } of tx.vin) {
      const from = must(this.index.transaction(must(txid, "an input")), `input ${txid}`);
      const output = must(from.vout[must(vout, "an input")], `input ${txid}:${vout}`);
      const value = toSat(output.value);
      sum += value;
      if (!this.#tree.has(`${txid}:${vout}`)) {
        const owner = must(await this.index.ownerOf(output.scriptPubKey.hex), "a wallet's coin");
        this.#credit(owner, -value);
        this.#wallet(owner, -value);
      } else if (value === ANCHOR_SAT) {
        // The opener's money, whoever used it.
        this.#credit(this.of.payer ?? this.of.opener, value);
        this.#credit(whose, -value);
      }
    }
    return sum;
  }

  /** The wallet the transaction ends in, or the one whose coins are in it. */
  async #ownerOf(tx: BlockTx): Promise<string | undefined> {
    for (const { n, scriptPubKey } of tx.vout) {
      const owner = await this.index.ownerOf(scriptPubKey.hex);
      if (owner !== undefined) return owner;
      const outpoint = `${tx.txid}:${n}`;
      const kept = this.of.notSwept?.get(outpoint);
      if (kept !== undefined) return kept;
      const next = this.index.spenderOf(outpoint);
      if (next === undefined) this.unsettled.push(outpoint);
      else return this.#ownerOf(next);
    }
    return this.unsettled.length > 0 ? "nobody yet" : undefined;
  }

  #credit(name: string, value: bigint): void {
    this.net.set(name, (this.net.get(name) ?? 0n) + value);
  }
  #wallet(name: string, value: bigint): void {
    this.toWallets.set(name, (this.toWallets.get(name) ?? 0n) + value);
  }
}
