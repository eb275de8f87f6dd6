/**
 * A chain in memory: numbered blocks with made-up hashes that hold only transactions that may stand
 * there. Inputs must be unspent, signatures and scripts valid, relative and absolute locks over (BIP 65,
 * 68, 112, 141). Proof of work, coinbases and fees are left out.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { Transaction } from "bitcoinjs-lib";
import { assert } from "@farwatch/protocol/assert";
import {
  blockHash,
  blockHeight,
  LOCKTIME_THRESHOLD,
  type BlockHeight,
  type BlockPoint,
} from "@farwatch/protocol/block";
import { toHex, utf8 } from "@farwatch/protocol/bytes";
import { outpointKey, txid, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { parseTx, toParsedTx, type ParsedTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { spendFailure, type Prevout } from "@farwatch/monitor-service/tx/testing/script-check";
import type { Watched } from "@farwatch/monitor-service/monitor/outstanding";

const FINAL_SEQUENCE = 0xffffffff;
/** BIP 68: bit 31 switches the relative lock off; the low 16 bits count blocks. */
const RELATIVE_LOCK_OFF = 0x80000000;
const RELATIVE_LOCK_MASK = 0xffff;

export interface SimBlock {
  readonly point: BlockPoint;
  readonly txs: readonly Transaction[];
}

interface Coin extends Prevout {
  readonly height: BlockHeight;
}

export class SimChain {
  readonly #blocks: SimBlock[] = [];
  #coins = new Map<string, Coin>();
  #spenders = new Map<string, Txid>();
  #named = 0;
  readonly #checked = new Map<string, string | undefined>();
  readonly #granted = new Map<string, Coin>();

  constructor(
    readonly base: BlockPoint,
    private readonly funding: { readonly outpoint: Outpoint; readonly prevout: Prevout },
  ) {
    this.#replay();
  }

  get tip(): BlockPoint {
    return this.#blocks.at(-1)?.point ?? this.base;
  }

  /** Adds a block; throws when a transaction may not stand in it. */
  mine(raws: readonly Uint8Array[]): SimBlock {
    const height = blockHeight(this.tip.height + 1);
    const hash = blockHash(toHex(sha256(utf8(`${height}:${this.#named++}`))));
    const txs = raws.map((raw) => Transaction.fromBuffer(Uint8Array.from(raw)));
    const block = { point: { height, hash }, txs };
    for (const tx of txs) {
      const reason = this.#hindrance(tx, height);
      assert(reason === undefined, `block ${height} may not hold ${tx.getId()}: ${reason}`);
      this.#include(tx, height);
    }
    this.#blocks.push(block);
    return block;
  }

  /** A coin of somebody else's, as old as the base. */
  grant(outpoint: Outpoint, prevout: Prevout): void {
    this.#granted.set(outpointKey(outpoint), { ...prevout, height: this.base.height });
    this.#replay();
  }

  /** Takes `count` blocks off the tip and returns the new tip. */
  disconnect(count: number): BlockPoint {
    assert(count <= this.#blocks.length, "the base is never disconnected");
    this.#blocks.splice(this.#blocks.length - count);
    this.#replay();
    return this.tip;
  }

  /** Why the next block may not hold this transaction; undefined: it may. */
  hindrance(raw: Uint8Array): string | undefined {
    const tx = Transaction.fromBuffer(Uint8Array.from(raw));
    return this.#hindrance(tx, blockHeight(this.tip.height + 1));
  }

  /** For each: why the next block may not hold it, alone or behind those before it. */
  hindrances(raws: readonly Uint8Array[]): readonly (string | undefined)[] {
    const height = blockHeight(this.tip.height + 1);
    const alone = raws.map((raw) => this.hindrance(raw));
    const found = raws.map((raw, index) => {
      const tx = Transaction.fromBuffer(Uint8Array.from(raw));
      const reason = this.#hindrance(tx, height);
      if (reason === undefined) this.#include(tx, height);
      return alone[index] === undefined ? undefined : reason;
    });
    this.#replay();
    return found;
  }

  /** The next block may hold all of them, in this order. */
  fits(raws: readonly Uint8Array[]): boolean {
    const height = blockHeight(this.tip.height + 1);
    const all = raws.every((raw) => {
      const tx = Transaction.fromBuffer(Uint8Array.from(raw));
      const fits = this.#hindrance(tx, height) === undefined;
      if (fits) this.#include(tx, height);
      return fits;
    });
    this.#replay();
    return all;
  }

  /** Transaction that spends the outpoint in this chain. */
  spenderOf(outpoint: Outpoint): Txid | undefined {
    return this.#spenders.get(outpointKey(outpoint));
  }

  confirmed(id: Txid): boolean {
    return this.#blocks.some(({ txs }) => txs.some((tx) => tx.getId() === id));
  }

  /** Sum of inputs minus outputs; the inputs need not be unspent. */
  feeSat(raw: Uint8Array): bigint {
    const tx = Transaction.fromBuffer(Uint8Array.from(raw));
    const inputs = toParsedTx(tx).inputs.map(({ outpoint }) => this.#coin(outpoint)?.value ?? 0n);
    const sum = (values: readonly bigint[]): bigint => values.reduce((a, b) => a + b, 0n);
    return sum(inputs) - sum(tx.outs.map(({ value }) => value));
  }

  inputsOf(raw: Uint8Array): readonly Outpoint[] {
    return parseTx(raw).inputs.map(({ outpoint }) => outpoint);
  }

  #coin(outpoint: Outpoint): Coin | undefined {
    return this.#coins.get(outpointKey(outpoint));
  }

  #hindrance(tx: Transaction, height: BlockHeight): string | undefined {
    if (tx.locktime < LOCKTIME_THRESHOLD && tx.locktime >= height) {
      if (tx.ins.some(({ sequence }) => sequence !== FINAL_SEQUENCE)) return "not final";
    }
    for (const [index, { outpoint, sequence }] of toParsedTx(tx).inputs.entries()) {
      const coin = this.#coin(outpoint);
      if (coin === undefined) return `input ${index} spends nothing known`;
      if (this.spenderOf(outpoint) !== undefined) return `input ${index} is spent`;
      const locked = (sequence & RELATIVE_LOCK_OFF) === 0 && tx.version >= 2;
      if (locked && coin.height + (sequence & RELATIVE_LOCK_MASK) > height) return "not mature";
      const failure = this.#spendFailure(tx, index, coin);
      if (failure !== undefined) return `input ${index}: ${failure}`;
    }
    return undefined;
  }

  /** The txid of an input says what it spends, so the answer never changes. */
  #spendFailure(tx: Transaction, index: number, coin: Coin): string | undefined {
    const key = `${toHex(tx.getHash(true))}:${index}`;
    if (!this.#checked.has(key)) this.#checked.set(key, spendFailure(tx, index, coin));
    return this.#checked.get(key);
  }

  #include(tx: Transaction, height: BlockHeight): void {
    const id = txid(tx.getId());
    for (const { outpoint } of toParsedTx(tx).inputs) {
      this.#spenders.set(outpointKey(outpoint), id);
    }
    for (const [vout, { script, value }] of tx.outs.entries()) {
      this.#coins.set(outpointKey({ txid: id, vout }), { script, value, height });
    }
  }

  #replay(): void {
    const { outpoint, prevout } = this.funding;
    const fundingCoin = { ...prevout, height: this.base.height };
    this.#coins = new Map([...this.#granted, [outpointKey(outpoint), fundingCoin]]);
    this.#spenders = new Map();
    for (const { txs, point } of this.#blocks) {
      for (const tx of txs) this.#include(tx, point.height);
    }
  }
}

/** What a chain follower hands on: spends of watched outputs, and what descends from them in the block. */
export function matching(block: SimBlock, watched: Watched): readonly ParsedTx[] {
  const outpoints = new Set(watched.outpoints.map(outpointKey));
  const parents = new Set<Txid>();
  return block.txs.map(toParsedTx).filter((tx) => {
    const matches =
      watched.txids.includes(tx.txid) ||
      tx.inputs.some(
        ({ outpoint }) => outpoints.has(outpointKey(outpoint)) || parents.has(outpoint.txid),
      );
    if (matches) parents.add(tx.txid);
    return matches;
  });
}
