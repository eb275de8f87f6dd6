/** A replayed node against what its recording concluded. */
import { compareBalances } from "./compare-balances.js";
import { compareBumps } from "./compare-bumps.js";
import { compareEvents } from "./compare-events.js";
import { compareSpends } from "./compare-spends.js";
import type { Recording } from "./read-recording.js";
import { monitorBroadcasts } from "./recorded-broadcasts.js";
import { ReplayError } from "./replay-error.js";
import type { ReplayedNode } from "./replay-node.js";
import { joined, type Verdict } from "./verdict.js";

export function compareNode(recording: Recording, name: string, node: ReplayedNode): Verdict {
  const expected = recording.expect?.[name];
  const shape = recording.nodes[name];
  if (expected === undefined || shape === undefined) {
    throw new ReplayError(`${recording.scenario} expects nothing of node ${name}`);
  }
  return joined([
    compareEvents(expected, shape.timeline, node),
    compareSpends(expected, monitorBroadcasts(recording, shape), node),
    compareBumps(expected, node.journal),
    compareBalances(expected, node.journal),
  ]);
}
