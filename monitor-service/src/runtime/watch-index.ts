/**
 * What the block scanner looks for, for many channels at once: each channel, by a small number, with
 * the outpoints and transactions its state waits for.
 */
import { outpointKey } from "@farwatch/protocol/ids";
import { OutpointIndex, TxidIndex } from "../chain/outpoint-index.js";
import type { Watch } from "../chain/scan-block.js";
import { watched, type Watched } from "../monitor/outstanding.js";
import type { MonitorState } from "../monitor/state.js";

export class WatchIndex {
  readonly watch: Watch;

  /** `seed`: 32 random bits. */
  constructor(seed: number) {
    this.watch = { outpoints: new OutpointIndex(seed), txids: new TxidIndex(seed) };
  }

  add(owner: number, state: MonitorState): void {
    this.watchAll(owner, watched(state));
  }

  remove(owner: number, state: MonitorState): void {
    this.forgetAll(owner, watched(state));
  }

  /** The channel's state is another one; cheap when it waits for the same. */
  move(owner: number, before: MonitorState, state: MonitorState): void {
    if (!waitsForSame(before, state)) this.exchange(owner, watched(before), watched(state));
  }

  watchAll(owner: number, { outpoints, txids }: Watched): void {
    for (const outpoint of outpoints) this.watch.outpoints.add(outpoint, owner);
    for (const txid of txids) this.watch.txids.add(txid, owner);
  }

  forgetAll(owner: number, { outpoints, txids }: Watched): void {
    for (const outpoint of outpoints) this.watch.outpoints.remove(outpoint, owner);
    for (const txid of txids) this.watch.txids.remove(txid, owner);
  }

  exchange(owner: number, old: Watched, now: Watched): void {
    this.watchAll(owner, now);
    const kept = new Set([...now.outpoints.map(outpointKey), ...now.txids]);
    this.forgetAll(owner, {
      outpoints: old.outpoints.filter((outpoint) => !kept.has(outpointKey(outpoint))),
      txids: old.txids.filter((txid) => !kept.has(txid)),
    });
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
