/**
 * PURE. Finds the transactions of a block that concern a watched channel (onchain-engine 5.1): those
 * that spend a watched outpoint, those whose confirmation is awaited, and those that spend any output
 * of a transaction found earlier in the same block. Works on offsets; only matches are copied.
 */
import { must } from "@farwatch/protocol/assert";
import { txidFromInternal, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import {
  layOutBlock,
  TX_END,
  TX_FIRST_INPUT,
  TX_START,
  TX_STRIDE,
  type BlockLayout,
} from "./block-layout.js";
import type { OutpointIndex, TxidIndex } from "./outpoint-index.js";
import { HASH_BYTES, txidAt, txidsOf } from "./verify-block.js";

export interface Watch {
  readonly outpoints: OutpointIndex;
  readonly txids: TxidIndex;
}

export interface SpentOutpoint {
  readonly inputIndex: number;
  readonly outpoint: Outpoint;
}

export interface Match {
  /** Position in the block; matches are in block order. */
  readonly txIndex: number;
  readonly txid: Txid;
  /** A copy: keeping it does not keep the block. */
  readonly raw: Uint8Array;
  /** Whom it concerns, each once: owners of what it spends, of its txid, or of a parent in this block. */
  readonly owners: readonly number[];
  /** Inputs that spend a watched outpoint or an output of an earlier match. */
  readonly spent: readonly SpentOutpoint[];
}

/**
 * `raw` has passed verifyBlock (throws otherwise); `txids` is what verifyBlock returned and saves
 * hashing them again when txids are watched.
 */
export function scanBlock(raw: Uint8Array, watch: Watch, txids?: Uint8Array): readonly Match[] {
  const layout = must(layOutBlock(raw), "a well-formed block");
  const known = txids ?? (watch.txids.size > 0 ? txidsOf(raw, layout) : undefined);
  const scan = new Scan(raw, layout, watch, known);
  for (let index = 0; index < layout.txCount; index++) scan.visit(index);
  return scan.matches;
}

class Scan {
  readonly matches: Match[] = [];
  readonly #parents = new ParentIndex();

  constructor(
    private readonly raw: Uint8Array,
    private readonly layout: BlockLayout,
    private readonly watch: Watch,
    private readonly txids: Uint8Array | undefined,
  ) {}

  /** Parents stand before their children in a block, so one pass sees whole chains. */
  visit(index: number): void {
    const { layout, raw, watch } = this;
    const at = index * TX_STRIDE;
    const first = must(layout.txs[at + TX_FIRST_INPUT], "first input");
    const end = must(layout.txs[at + TX_STRIDE + TX_FIRST_INPUT], "end of inputs");
    let concerns = false;
    for (let i = first; i < end && !concerns; i++) {
      const offset = layout.inputs[i] ?? 0;
      concerns = watch.outpoints.table.has(raw, offset) || this.#parents.has(raw, offset);
    }
    if (!concerns && this.txids !== undefined) {
      concerns = watch.txids.table.has(this.txids, index * HASH_BYTES);
    }
    if (concerns) this.#take(index, first, end);
  }

  #take(index: number, first: number, end: number): void {
    const { layout, raw, watch } = this;
    const internal = this.#txid(index);
    const owners = new Set(watch.txids.table.ownersAt(internal));
    const spent: SpentOutpoint[] = [];
    for (let i = first; i < end; i++) {
      const offset = must(layout.inputs[i], "input");
      const direct = watch.outpoints.table.ownersAt(raw, offset);
      const inherited = this.#parents.ownersAt(raw, offset);
      if (direct.length === 0 && inherited.length === 0) continue;
      for (const owner of [...direct, ...inherited]) owners.add(owner);
      spent.push({ inputIndex: i - first, outpoint: outpointAt(raw, offset) });
    }
    const at = index * TX_STRIDE;
    const start = must(layout.txs[at + TX_START], "start");
    this.matches.push({
      txIndex: index,
      txid: txidFromInternal(internal),
      raw: Uint8Array.from(raw.subarray(start, layout.txs[at + TX_END])),
      owners: [...owners],
      spent,
    });
    this.#parents.add(internal, [...owners]);
  }

  #txid(index: number): Uint8Array {
    if (this.txids === undefined) return txidAt(this.raw, this.layout, index);
    return this.txids.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }
}

/** Matches of this block by txid. Two bytes decide nearly always; the full key is made only then. */
class ParentIndex {
  readonly #prefixes = new Set<number>();
  readonly #owners = new Map<string, readonly number[]>();

  add(internal: Uint8Array, owners: readonly number[]): void {
    this.#prefixes.add(prefixAt(internal, 0));
    this.#owners.set(keyAt(internal, 0), owners);
  }

  has(bytes: Uint8Array, offset: number): boolean {
    return this.#prefixes.size > 0 && this.ownersAt(bytes, offset).length > 0;
  }

  ownersAt(bytes: Uint8Array, offset: number): readonly number[] {
    if (!this.#prefixes.has(prefixAt(bytes, offset))) return [];
    return this.#owners.get(keyAt(bytes, offset)) ?? [];
  }
}

const prefixAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);

const keyAt = (bytes: Uint8Array, at: number): string =>
  Buffer.from(bytes.subarray(at, at + HASH_BYTES)).toString("latin1");

function outpointAt(raw: Uint8Array, offset: number): Outpoint {
  const vout = new DataView(raw.buffer, raw.byteOffset + offset + HASH_BYTES, 4).getUint32(0, true);
  return { txid: txidFromInternal(raw.subarray(offset, offset + HASH_BYTES)), vout };
}
