/** A node broadcasts a commitment that it has revoked, out of an old copy of its monitor. */
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { Transaction } from "bitcoinjs-lib";
import { DetachedMonitor } from "../detached-monitor.js";
import type { Run } from "../run.js";
import {
  expiries,
  finish,
  nth,
  offer,
  openPair,
  settled,
  type Pair,
  type Scenario,
} from "./scenario.js";

/** More than the latest expiry of an HTLC. */
const MOST_BLOCKS_TO_EXPIRY = 120;

export const revoked: Scenario = {
  name: "revoked",
  doc: "A broadcasts a revoked commitment (with HTLCs both ways + to_local) from an old monitor snapshot; B's justice txs confirm at once",
  nodes: ["A", "B"],
  play: (run) => {
    const { commitment } = revokedState(run);
    run.network.mineExactly([commitment.raw]);
    run.network.mine();
    finish(run);
  },
};

export const revokedHtlcTxs: Scenario = {
  name: "revoked_htlc_txs",
  doc: "as revoked, but A's HTLC-success and then HTLC-timeout second-level txs confirm before B's justice reaches the chain: B claims the second-level outputs",
  nodes: ["A", "B"],
  play: (run) => {
    const { network, chain, draw } = run;
    const { commitment, cheater, pair } = revokedState(run);
    pair.b.holding = true;
    const follow = (mine: () => void) => {
      mine();
      cheater.connect(must(chain.blocks.at(-1), "the newest block"));
    };
    follow(() => network.mineExactly([commitment.raw]));
    const success = cheater.spendsOf(commitment.txid);
    follow(() => network.mineExactly(success));
    const isTimeout = (raw: string) => !success.includes(raw);
    let timeout: string[] = [];
    for (let mined = 0; timeout.length === 0; mined++) {
      if (mined > MOST_BLOCKS_TO_EXPIRY) throw new Error("the cheater times nothing out");
      follow(() => network.mine());
      timeout = cheater.spendsOf(commitment.txid).filter(isTimeout);
    }
    follow(() => network.mineExactly(timeout));
    network.mine(draw.int("blocks before B reaches the chain", 0, 4));
    network.note("B's broadcasts reach the chain from here on");
    pair.b.release();
    network.mine();
    run.meta = {
      ...run.meta,
      cheater_second_level: { htlc_success: success.map(txid), htlc_timeout: timeout.map(txid) },
    };
    finish(run);
  },
};

const txid = (raw: string): string => Transaction.fromHex(raw).getId();

/** A channel whose old state is worth a lie to A, with that state's commitment not broadcast yet. */
function revokedState(run: Run) {
  const pair = openPair(run);
  const { a, b } = pair;
  const { draw, network } = run;
  const delta = expiries(run, 2);
  const count = (what: string, low: number) => draw.int(`number of ${what}`, low, 2);
  const there = { from: a, to: b, finalDelta: nth(delta, 0) };
  const toB = [
    ...offer(run, { ...there, label: "r1_A_to_B", count: count("r1", 1) }),
    ...offer(run, { ...there, label: "r3_dust", count: count("r3", 0), dust: true }),
  ];
  const toA = offer(run, {
    from: b,
    to: a,
    label: "r2_B_to_A_preimage_known_to_A",
    count: count("r2", 1),
    finalDelta: nth(delta, 1),
  });
  network.disconnect(pair.link);
  for (const hash of toA) a.claim(hash);
  network.settle();
  const snapshot = must(a.recorder.snapshots.at(-1), "a snapshot of A");
  a.timeline.note("SNAPSHOT of A's monitor taken here: its commitment is revoked later");
  goOn(run, pair, toB);
  const cheater = new DetachedMonitor(a, snapshot);
  const commitment = cheater.commitment();
  network.note(`A broadcasts revoked commitment ${commitment.txid}`);
  run.meta = {
    revoked_snapshot: {
      latest_update_id: snapshot.updateId.toString(),
      monitor: toHex(snapshot.monitor),
    },
    revoked_commitment: commitment,
  };
  return { pair, cheater, commitment };
}

/** Everything pending is settled and the state moves on, which revokes what came before. */
function goOn(run: Run, { a, b }: Pair, pendingAtB: readonly string[]): void {
  run.network.connect(a, b);
  for (const hash of pendingAtB) b.claim(hash);
  run.network.settle();
  a.autoClaim = true;
  b.autoClaim = true;
  const rounds = run.draw.int("payments after the snapshot", 1, 3);
  for (let round = 0; round < rounds; round++) settled(run, a, b, `after the snapshot ${round}`);
}
