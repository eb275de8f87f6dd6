/**
 * Transactions that a wallet paid for, of all channels: written before they are sent, so that a restart
 * sends the same ones again and no coin is spent by two claims (onchain-engine 9.11, 18.17). Memory here
 * is the image of what is on disk.
 */
import type { Hash32, Outpoint, Txid } from "@farwatch/protocol/ids";
import type { BumpRow, StoreOp } from "../../store/store.js";
import { parseTx } from "../../tx/parsed-tx.js";

/** A stored transaction, read. */
export interface SentBump extends BumpRow {
  readonly txid: Txid;
  /** Outputs of our commitment that it spends. */
  readonly own: readonly Outpoint[];
  /** Coins of the wallet that it spends. */
  readonly coins: readonly Outpoint[];
}

/** Our inputs stand first, and all of them spend the same commitment. */
export function readBump(row: BumpRow): SentBump {
  const { txid, inputs } = parseTx(row.rawTx);
  const outpoints = inputs.map(({ outpoint }) => outpoint);
  const commitment = outpoints[0]?.txid;
  return {
    ...row,
    txid,
    own: outpoints.filter((outpoint) => outpoint.txid === commitment),
    coins: outpoints.filter((outpoint) => outpoint.txid !== commitment),
  };
}

export class BumpBook {
  readonly #write: (ops: readonly StoreOp[]) => Promise<void>;
  readonly #byChannel = new Map<number, Map<Hash32, SentBump>>();

  /** `write` resolves when the operations are on disk. */
  constructor(write: (ops: readonly StoreOp[]) => Promise<void>, rows: readonly BumpRow[]) {
    this.#write = write;
    for (const row of rows) this.#set(readBump(row));
  }

  get(channelNo: number, bumpId: Hash32): SentBump | undefined {
    return this.#byChannel.get(channelNo)?.get(bumpId);
  }

  ofChannel(channelNo: number): readonly SentBump[] {
    return [...(this.#byChannel.get(channelNo)?.values() ?? [])];
  }

  /** Every coin in use but those of this bump. */
  coinsOfOthers(channelNo: number, bumpId: Hash32): readonly Outpoint[] {
    return this.#all()
      .filter((row) => row.channelNo !== channelNo || row.bumpId !== bumpId)
      .flatMap(({ coins }) => coins);
  }

  coins(): readonly Outpoint[] {
    return this.#all().flatMap(({ coins }) => coins);
  }

  /** Resolves when it is on disk; only then may it be sent. */
  async put(row: BumpRow): Promise<SentBump> {
    const sent = readBump(row);
    this.#set(sent);
    await this.#write([{ op: "putBump", row }]);
    return sent;
  }

  async remove({ channelNo, bumpId }: Pick<BumpRow, "channelNo" | "bumpId">): Promise<void> {
    const ofChannel = this.#byChannel.get(channelNo);
    ofChannel?.delete(bumpId);
    if (ofChannel?.size === 0) this.#byChannel.delete(channelNo);
    await this.#write([{ op: "deleteBump", channelNo, bumpId }]);
  }

  #all(): readonly SentBump[] {
    return [...this.#byChannel.values()].flatMap((ofChannel) => [...ofChannel.values()]);
  }

  #set(sent: SentBump): void {
    const ofChannel = this.#byChannel.get(sent.channelNo) ?? new Map<Hash32, SentBump>();
    this.#byChannel.set(sent.channelNo, ofChannel.set(sent.bumpId, sent));
  }
}
