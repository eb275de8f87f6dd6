/**
 * Reorganisations of any depth are as if they had not been (reliability P-6): taking blocks off gives
 * back the state before them, and going on along another branch gives the state of a monitor that never
 * saw the first. Except for what was told or offered, what was proven (preimages), and fees, which never
 * fall.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { blockDelta } from "@farwatch/protocol/block";
import { decodeState, encodeState } from "@farwatch/monitor-service/monitor/codec";
import { IRREVOCABLE_DEPTH } from "@farwatch/monitor-service/monitor/constants";
import { assertNothingLost, block, Branches, oldestFact, reversible } from "./branches.js";
import { pickBlock } from "./candidates.js";
import { danceAction, Dancer } from "./dances.js";
import { protectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES } from "./scenario.js";

const RUNS = 14;
const SEED = 20_261_123;

describe("monitor core: reorganisations of any depth", function () {
  this.timeout(60_000);
  for (const channelType of CHANNEL_TYPES) {
    it(`leave no trace but what was told on ${channelType}`, async () => {
      const seen = { spends: 0, deep: 0, closedBefore: 0 };
      await fc.assert(
        fc.asyncProperty(
          fc.array(danceAction, { minLength: 5, maxLength: 25 }),
          fc.array(block, { maxLength: 6 }),
          fc.array(block, { minLength: 1, maxLength: 8 }),
          fc.array(block, { maxLength: 8 }),
          async (actions, before, first, second) => {
            const contestDelay = blockDelta(20);
            const keys = { channelKeysId: new Uint8Array(32).fill(0x11) };
            const p = await protectedChannel({ channelType, holder: { ...keys, contestDelay } });
            const dancer = new Dancer(p);
            for (const action of actions) await dancer.perform(action);
            const branches = new Branches(p, (picks) => pickBlock(p, dancer.secrets, picks));
            branches.grow(before, IRREVOCABLE_DEPTH);
            const fork = decodeState(encodeState(p.state));

            const lost = branches.grow(first, IRREVOCABLE_DEPTH);
            const isKept = oldestFact(fork) + IRREVOCABLE_DEPTH > p.height;
            if (fork.spend !== undefined) seen.closedBefore++;
            else if (p.state.spend !== undefined) seen.spends++;
            if (lost.length > 6) seen.deep++;
            assert.deepEqual(p.disconnect(lost.length).events, [], "a reorg tells nothing");
            const proven = new Set(p.state.fulfilled.keys());
            if (isKept) {
              assert.deepStrictEqual(reversible(p.state, proven), reversible(fork, proven));
            }

            // The branch that wins is the longer one.
            const blocks = branches.grow([...second, ...lost.map(() => []), []], Infinity);
            const straight = branches.follow(fork, blocks);
            const known = new Set([...proven, ...p.state.fulfilled.keys()]);
            assert.deepStrictEqual(reversible(p.state, known), reversible(straight.state, known));
            assertNothingLost(straight.events, p);
          },
        ),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
      assert.ok(seen.spends > 2 && seen.deep > 5 && seen.closedBefore > 2, JSON.stringify(seen));
    });
  }
});
