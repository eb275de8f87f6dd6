/** Drives a pair with a watched node until nothing is left to do on any side. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Pair } from "./pair.js";
import type { WatchedNode } from "./watched-node.js";

/** Ms between two looks, and how many quiet ones count as quiet: answers on loopback take less. */
const LOOK_MS = 5;
const QUIET_LOOKS = 4;
const MAX_LOOKS = 4000;

/** One turn of a node's event loop; true when anything happened. */
export function turn(pair: Pair, watched: WatchedNode): boolean {
  watched.watch.tick();
  const moved = pair.exchange();
  const isDirty = watched.node.manager.get_and_clear_needs_persistence();
  if (!watched.watch.needsSnapshot && !(isDirty && watched.savesAlways)) return moved;
  watched.save();
  return true;
}

export async function settle(pair: Pair, watched: WatchedNode): Promise<void> {
  await settleUntil(pair, watched, () => false);
}

/** Ends early when `reached`. */
export async function settleUntil(
  pair: Pair,
  watched: WatchedNode,
  reached: () => boolean,
): Promise<void> {
  let quiet = 0;
  for (let look = 0; look < MAX_LOOKS; look++) {
    const worked = watched.work;
    const moved = turn(pair, watched);
    if (reached()) return;
    await sleep(moved ? 1 : LOOK_MS);
    const isBusy = moved || watched.work !== worked || watched.watch.backlog.unaccepted > 0;
    quiet = isBusy ? 0 : quiet + 1;
    if (quiet >= QUIET_LOOKS) return;
  }
  throw new Error("the nodes do not settle");
}

export async function mine(pair: Pair, watched: WatchedNode, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    pair.mine();
    await settle(pair, watched);
  }
}
