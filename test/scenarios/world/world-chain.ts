/**
 * The chain of the world: blocks with real headers and witness commitments, holding only transactions
 * that may stand there (sim-chain.ts checks scripts and locks), a mempool of what monitors broadcast,
 * and one source per monitor.
 */
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import type { BlockPoint } from "@farwatch/protocol/block";
import { concatBytes, fromHex, reversed } from "@farwatch/protocol/bytes";
import { outpointKey, txid, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { FALLBACK_FEERATES } from "@farwatch/monitor-service/chain/bitcoind-source";
import type { BlockHeader, BroadcastResult } from "@farwatch/monitor-service/chain/chain-source";
import { hash256 } from "@farwatch/monitor-service/chain/hash256";
import { checkProofOfWork } from "@farwatch/monitor-service/chain/proof-of-work";
import { merkleRoot } from "@farwatch/monitor-service/chain/verify-block";
import { storedHeader } from "@farwatch/monitor-service/chain/verify-header";
import type { HostDeps } from "@farwatch/monitor-service/runtime/deps";
import { SimChain } from "../../harness/monitor-core/sim-chain.js";
import type { Life } from "./life.js";
import { never } from "./life.js";

export type Source = HostDeps["source"];
type Prevout = Parameters<SimChain["grant"]>[1];

/** Height of the world before anything happens: room for the reorganisations that scenarios make. */
export const FIRST_HEIGHT = 30;
/** Every second hash meets it. */
const REGTEST_BITS = 0x207fffff;
const START_TIME = 1_700_000_000;
const SECONDS_A_BLOCK = 600;

interface Block {
  readonly header: BlockHeader;
  readonly raw: Uint8Array;
}

export interface Broadcast {
  readonly by: string;
  readonly txid: Txid;
  readonly raw: Uint8Array;
}

export class WorldChain {
  readonly broadcasts: Broadcast[] = [];
  readonly #byHash = new Map<string, Block>();
  readonly #mempool = new Map<Txid, Uint8Array>();
  readonly #confirmed = new Map<Txid, number>();
  #best: Block[] = [];
  readonly #sim: SimChain;
  #mined = 0;

  constructor() {
    for (const block of base()) this.#add(block);
    const nowhere = { outpoint: { txid: txid("00".repeat(32)), vout: 0 }, prevout: NOBODYS };
    this.#sim = new SimChain(this.tip, nowhere);
  }

  get tip(): BlockPoint {
    const { hash, height } = must(this.#best.at(-1), "genesis").header;
    return { hash, height };
  }
  get height(): number {
    return this.tip.height;
  }
  blocksAbove(height: number): readonly Block[] {
    return this.#best.slice(height + 1);
  }
  isBest(hash: string): boolean {
    const block = this.#byHash.get(hash);
    return block !== undefined && this.#best[block.header.height] === block;
  }

  /** A coin that exists before the world begins: the funding of a channel. */
  grant(outpoint: Outpoint, prevout: Prevout): void {
    this.#sim.grant(outpoint, prevout);
  }

  /** Throws when a transaction may not stand in the next block. */
  mine(raws: readonly Uint8Array[]): void {
    this.#sim.mine(raws);
    this.#append(raws);
    for (const raw of raws) {
      const id = idOf(raw);
      this.#mempool.delete(id);
      this.#confirmed.set(id, this.height);
    }
  }

  /** What was broadcast, is not confirmed, and may stand in the next block together; of rivals the first. */
  minable(): readonly Uint8Array[] {
    const chosen: Uint8Array[] = [];
    for (const raw of this.#mempool.values()) {
      if (this.#sim.fits([...chosen, raw])) chosen.push(raw);
    }
    return chosen;
  }

  /** Takes `depth` blocks off; what they held is broadcastable again. */
  disconnect(depth: number): void {
    this.#sim.disconnect(depth);
    this.#best = this.#best.slice(0, this.#best.length - depth);
    for (const [id, height] of this.#confirmed) {
      if (height > this.height) this.#confirmed.delete(id);
    }
  }

  confirmed(id: Txid): boolean {
    return this.#confirmed.has(id);
  }
  spenderOf(outpoint: Outpoint): Txid | undefined {
    return this.#sim.spenderOf(outpoint);
  }
  inputsOf(raw: Uint8Array): readonly Outpoint[] {
    return this.#sim.inputsOf(raw);
  }
  hindrance(raw: Uint8Array): string | undefined {
    return this.#sim.hindrance(raw);
  }

  /** The chain as one monitor sees it; a dead monitor sees nothing. */
  source(life: Life, moved: () => void): Source {
    const alive = <T>(answer: () => T): Promise<T> => {
      if (!life.alive) return never();
      moved();
      return Promise.resolve(answer());
    };
    return {
      tip: () => alive(() => this.tip),
      hashAtHeight: (height) => alive(() => this.#best[height]?.header.hash),
      header: (hash) => alive(() => this.#byHash.get(hash)?.header),
      block: (hash) => alive(() => must(this.#byHash.get(hash), "known block").raw),
      broadcast: (raw) => alive(() => this.#take(life.owner, [raw])),
      broadcastPackage: (raws) => alive(() => this.#take(life.owner, raws)),
      feerates: () => alive(() => FALLBACK_FEERATES),
      mempoolSpender: (outpoint) => alive(() => this.#mempoolSpender(outpoint)),
      mempoolTx: (id) => alive(() => this.#mempool.get(id)),
      confirmedOutput: () => alive(() => undefined),
    };
  }

  #take(by: string, raws: readonly Uint8Array[]): BroadcastResult {
    const unknown = raws.filter((raw) => !this.#confirmed.has(idOf(raw)));
    if (unknown.length === 0) return { kind: "alreadyKnown" };
    for (const raw of unknown) this.broadcasts.push({ by, txid: idOf(raw), raw });
    const parents = [...this.#mempool].filter(([id]) => !unknown.some((raw) => idOf(raw) === id));
    const all = [...parents.map(([, raw]) => raw), ...unknown];
    const reasons = this.#sim.hindrances(all).slice(parents.length);
    for (const raw of unknown) this.#replace(raw);
    const reason = reasons.find((found) => found !== undefined);
    if (reason === undefined) return { kind: "accepted" };
    if (reason === "not final" || reason === "not mature") {
      return { kind: "refused", reason: "nonFinal", message: reason };
    }
    return { kind: "refused", reason: "missingInputs", message: reason };
  }

  /** BIP 125, without its fees: whatever spends the same leaves. */
  #replace(raw: Uint8Array): void {
    const spent = new Set(this.#sim.inputsOf(raw).map(outpointKey));
    for (const [id, other] of this.#mempool) {
      if (this.#sim.inputsOf(other).some((input) => spent.has(outpointKey(input)))) {
        this.#mempool.delete(id);
      }
    }
    this.#mempool.set(idOf(raw), raw);
  }

  #mempoolSpender(outpoint: Outpoint): Txid | undefined {
    const key = outpointKey(outpoint);
    const spends = ([, raw]: [Txid, Uint8Array]): boolean =>
      this.#sim.inputsOf(raw).some((input) => outpointKey(input) === key);
    return [...this.#mempool].find(spends)?.[0];
  }

  #append(raws: readonly Uint8Array[]): void {
    this.#add(makeBlock(this.#best.at(-1)?.header, raws, this.#mined));
  }

  #add(block: Block): void {
    this.#mined += 1;
    this.#byHash.set(block.header.hash, block);
    this.#best.push(block);
  }
}

let made: readonly Block[] | undefined;
/** Blocks up to the first height, the same for every world. */
function base(): readonly Block[] {
  if (made !== undefined) return made;
  const blocks: Block[] = [];
  for (let height = 0; height <= FIRST_HEIGHT; height++) {
    blocks.push(makeBlock(blocks.at(-1)?.header, [], height));
  }
  return (made = blocks);
}

const NOBODYS: Prevout = { script: new Uint8Array(0), value: 0n };
export const idOf = (raw: Uint8Array): Txid =>
  txid(Transaction.fromBuffer(Uint8Array.from(raw)).getId());

/** The number makes coinbases, and so blocks, differ. */
function makeBlock(
  previous: BlockHeader | undefined,
  raws: readonly Uint8Array[],
  number: number,
): Block {
  const txs = raws.map((raw) => Transaction.fromBuffer(Uint8Array.from(raw)));
  const wtxids = concatBytes(new Uint8Array(32), ...txs.map((tx) => tx.getHash(true)));
  const coinbase = coinbaseOf(
    number,
    hash256(concatBytes(merkleRoot(wtxids).root, new Uint8Array(32))),
  );
  const all = [coinbase, ...txs];
  const { root } = merkleRoot(concatBytes(...all.map((tx) => tx.getHash())));
  const height = previous === undefined ? 0 : previous.height + 1;
  const raw = new Uint8Array(80);
  const view = new DataView(raw.buffer);
  view.setInt32(0, 0x20000000, true);
  if (previous !== undefined) raw.set(reversed(fromHex(previous.hash)), 4);
  raw.set(root, 36);
  view.setUint32(68, START_TIME + SECONDS_A_BLOCK * height, true);
  view.setUint32(72, REGTEST_BITS, true);
  for (let nonce = 0; !checkProofOfWork(hash256(raw), REGTEST_BITS, "regtest").ok; nonce++) {
    view.setUint32(76, nonce, true);
  }
  const count = Uint8Array.of(all.length);
  return {
    header: storedHeader(raw, height),
    raw: concatBytes(raw, count, ...all.map((tx) => tx.toBuffer())),
  };
}

function coinbaseOf(number: number, commitment: Uint8Array): Transaction {
  const tx = new Transaction();
  const script = new Uint8Array(9);
  script[0] = 8;
  new DataView(script.buffer).setBigUint64(1, BigInt(number), true);
  tx.addInput(new Uint8Array(32), 0xffffffff, 0xffffffff, script);
  tx.addOutput(concatBytes(fromHex("6a24aa21a9ed"), commitment), 0n);
  tx.setWitness(0, [new Uint8Array(32)]);
  return tx;
}
