/** What a scenario is, and what they have in common. */
import { must } from "@farwatch/protocol/assert";
import type { LightningNode } from "../node/lightning-node.js";
import type { Link } from "../node/network.js";
import { keysend, pay } from "../node/payments.js";
import type { Run } from "../run.js";

export interface Scenario {
  readonly name: string;
  /** One sentence for the reader of the file. */
  readonly doc: string;
  readonly nodes: readonly string[];
  readonly play: (run: Run) => void;
}

/** Two nodes with an open channel that has seen some payments. */
export interface Pair {
  readonly a: LightningNode;
  readonly b: LightningNode;
  readonly link: Link;
}

/** Shortest expiry LDK takes for a final hop, plus a block under way. */
const SHORT_DELTA = 30;
/** More than the last expiry, CSV delay and maturity of any scenario together. */
const MOST_BLOCKS = 400;

export function openPair(run: Run): Pair {
  const a = run.node("A");
  const b = run.node("B");
  const link = run.network.connect(a, b);
  run.openChannel(a, b);
  warmUp(run, { a, b, link });
  return { a, b, link };
}

/** Payments both ways, and one that is failed back, so that states have been revoked before it counts. */
function warmUp(run: Run, { a, b }: Pair): void {
  const { draw, network } = run;
  network.note("payments both ways");
  const rounds = draw.int("rounds of payments", 1, 3);
  for (let round = 0; round < rounds; round++) {
    settled(run, a, b, `round ${round} A to B`);
    settled(run, b, a, `round ${round} B to A`);
  }
  const preimage = draw.bytes("preimage of the keysend");
  const amountMsat = run.htlcMsat("keysend");
  keysend(a, b, { preimage, amountMsat, finalDelta: SHORT_DELTA });
  network.settle();
  network.note("a payment B fails back");
  b.autoClaim = false;
  const hash = pay(a, b, { amountMsat: run.htlcMsat("failed back"), finalDelta: SHORT_DELTA });
  network.settle();
  b.failBack(hash);
  network.settle();
  b.autoClaim = true;
}

/** A payment that is claimed at once. */
export function settled(run: Run, from: LightningNode, to: LightningNode, label: string): void {
  pay(from, to, { amountMsat: run.htlcMsat(label), finalDelta: SHORT_DELTA });
  run.network.settle();
}

export interface Offer {
  readonly from: LightningNode;
  readonly to: LightningNode;
  /** Base of the names in the file's meta.htlcs. */
  readonly label: string;
  readonly count: number;
  readonly finalDelta: number;
  readonly dust?: boolean;
}

/** HTLCs that stay pending, because their recipient does not claim; returns the payment hashes. */
export function offer(run: Run, offers: Offer): string[] {
  const { from, to, label, count, finalDelta, dust = false } = offers;
  to.autoClaim = false;
  return Array.from({ length: count }, (_, nth) => {
    const name = count === 1 ? label : `${label}_${nth + 1}`;
    const amountMsat = dust ? run.dustMsat(name) : run.htlcMsat(name);
    const hash = pay(from, to, { amountMsat, finalDelta });
    run.network.settle();
    run.htlcs[name] = hash;
    return hash;
  });
}

/**
 * Mines until no monitor waits for anything, and a few blocks more; then sweeps. Balances of a type in
 * `staying` are waited for by nobody: a channel that stays open has one for as long as it does.
 */
export function finish(run: Run, staying: readonly string[] = []): void {
  const { network, draw } = run;
  const quiet = () =>
    network.nodes.every((node) =>
      node.balances().every(({ type }) => staying.includes(String(type))),
    );
  network.mineUntil(quiet, MOST_BLOCKS);
  network.mine(draw.int("blocks after the end", 6, 20));
  run.sweep();
}

/** Deltas of HTLCs that must not expire together, none of them near another. */
export function expiries(run: Run, count: number): readonly number[] {
  return run.draw.apart("expiries", count, { low: 34, high: 90, gap: 4 });
}

export const nth = <T>(list: readonly T[], index: number): T => must(list[index], `item ${index}`);
