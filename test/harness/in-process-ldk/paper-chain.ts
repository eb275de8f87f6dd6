/**
 * A chain for LDK nodes in one process, made of paper: blocks without work and transactions nobody validates,
 * except that an output is spent once. What is broadcast waits until it is mined.
 */
import { createHash } from "node:crypto";
import { assert } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { Transaction } from "bitcoinjs-lib";

export interface PaperBlock {
  readonly height: number;
  readonly header: Uint8Array;
  readonly raw: Uint8Array;
  readonly transactions: readonly Transaction[];
}

/** Hash of the regtest genesis block, internal byte order. */
const GENESIS = fromHex("06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f");
const HEADER_BYTES = 80;
const MAX_IN_BLOCK = 0xfc;
const START_SECS = 1_700_000_000;

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const doubleSha = (bytes: Uint8Array): Uint8Array => Uint8Array.from(sha256(sha256(bytes)));

export class PaperChain {
  readonly blocks: PaperBlock[] = [];
  readonly #mempool = new Map<string, Transaction>();
  readonly #spent = new Map<string, string>();
  readonly #mined = new Set<string>();
  #tip = GENESIS;

  get height(): number {
    return this.blocks.length;
  }
  /** Internal byte order. */
  get tipHash(): Uint8Array {
    return this.#tip;
  }
  get mempool(): readonly Transaction[] {
    return [...this.#mempool.values()];
  }

  isMined(txid: string): boolean {
    return this.#mined.has(txid);
  }

  spenderOf(txid: string, vout: number): string | undefined {
    return this.#spent.get(`${txid}:${vout}`);
  }

  /** A later transaction replaces what it conflicts with, unless that is mined. */
  broadcast(raw: Uint8Array): void {
    const tx = Transaction.fromBuffer(Buffer.from(raw));
    const points = pointsOf(tx);
    if (points.some((point) => this.#spent.has(point))) return;
    for (const other of this.mempool) {
      if (pointsOf(other).some((point) => points.includes(point)))
        this.#mempool.delete(other.getId());
    }
    this.#mempool.set(tx.getId(), tx);
  }

  /** With all that waits, or with nothing. */
  mine(what: "all" | "empty" = "all"): PaperBlock {
    const transactions = what === "all" ? this.#takeMempool() : [];
    assert(transactions.length <= MAX_IN_BLOCK, "the count fits into one byte");
    const height = this.height + 1;
    const body = Buffer.concat([
      Uint8Array.of(transactions.length),
      ...transactions.map((tx) => tx.toBuffer()),
    ]);
    const header = this.#header(height, doubleSha(body));
    const block = {
      height,
      header,
      raw: Uint8Array.from(Buffer.concat([header, body])),
      transactions,
    };
    this.#tip = doubleSha(header);
    this.blocks.push(block);
    return block;
  }

  #takeMempool(): Transaction[] {
    const taken: Transaction[] = [];
    for (const tx of this.mempool) {
      if (tx.locktime > this.height && tx.locktime < 500_000_000) continue;
      if (pointsOf(tx).some((point) => this.#spent.has(point))) {
        this.#mempool.delete(tx.getId());
        continue;
      }
      for (const point of pointsOf(tx)) this.#spent.set(point, tx.getId());
      this.#mined.add(tx.getId());
      this.#mempool.delete(tx.getId());
      taken.push(tx);
    }
    return taken;
  }

  #header(height: number, root: Uint8Array): Uint8Array {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeInt32LE(0x20000000, 0);
    header.set(this.#tip, 4);
    header.set(root, 36);
    header.writeUInt32LE(START_SECS + height * 600, 68);
    header.writeUInt32LE(0x207fffff, 72);
    header.writeUInt32LE(height, 76);
    return Uint8Array.from(header);
  }
}

const pointsOf = (tx: Transaction): string[] =>
  tx.ins.map(({ hash, index }) => `${toHex(Uint8Array.from(hash).reverse())}:${index}`);
