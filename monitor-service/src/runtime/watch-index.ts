/**
 * What the block scanner looks for, for many channels at once: each channel, by a small number, with
 * the outpoints and transactions its state waits for.
 */
import { OutpointIndex, TxidIndex } from "../chain/outpoint-index.js";
import type { Watch } from "../chain/scan-block.js";
import { watched } from "../monitor/outstanding.js";
import type { MonitorState } from "../monitor/state.js";

export class WatchIndex {
  readonly watch: Watch;

  /** `seed`: 32 random bits. */
  constructor(seed: number) {
    this.watch = { outpoints: new OutpointIndex(seed), txids: new TxidIndex(seed) };
  }

  add(owner: number, state: MonitorState): void {
    const { outpoints, txids } = watched(state);
    for (const outpoint of outpoints) this.watch.outpoints.add(outpoint, owner);
    for (const txid of txids) this.watch.txids.add(txid, owner);
  }

  remove(owner: number, state: MonitorState): void {
    const { outpoints, txids } = watched(state);
    for (const outpoint of outpoints) this.watch.outpoints.remove(outpoint, owner);
    for (const txid of txids) this.watch.txids.remove(txid, owner);
  }

  /** The channel's state is another one; cheap when it waits for the same. */
  move(owner: number, before: MonitorState, state: MonitorState): void {
    if (waitsForSame(before, state)) return;
    this.add(owner, state);
    const now = watched(state);
    const kept = new Set([
      ...now.outpoints.map(({ txid, vout }) => `${txid}:${vout}`),
      ...now.txids,
    ]);
    const { outpoints, txids } = this.watch;
    const old = watched(before);
    for (const outpoint of old.outpoints) {
      if (!kept.has(`${outpoint.txid}:${outpoint.vout}`)) outpoints.remove(outpoint, owner);
    }
    for (const txid of old.txids) if (!kept.has(txid)) txids.remove(txid, owner);
  }
}

/** `watched` reads nothing else. */
const waitsForSame = (before: MonitorState, state: MonitorState): boolean =>
  before.tracked === state.tracked &&
  before.suspects === state.suspects &&
  before.ownOutputs === state.ownOutputs &&
  before.spend === state.spend &&
  before.fundingConfirmedAt === state.fundingConfirmedAt &&
  before.parameters === state.parameters &&
  before.pendingFundings.length === state.pendingFundings.length &&
  before.retiredFundings === state.retiredFundings &&
  before.alternativeFunding === state.alternativeFunding;
