/**
 * Connecting some blocks and disconnecting them again gives the state back, whatever was in them: except
 * for what was told, what was proven (preimages), and fees, which never fall.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { blockDelta } from "@farwatch/protocol/block";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { pickBlock } from "./candidates.js";
import { danceAction, Dancer } from "./dances.js";
import { protectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES } from "./scenario.js";

const RUNS = 25;
const SEED = 20_261_123;
/** One less than it takes to mature anything: matured facts are irreversible. */
const MAX_DEPTH = 5;

/** What a reorg gives back. */
const reversible = (state: MonitorState) => ({
  ...state,
  spendReported: undefined,
  nextEventId: undefined,
  reported: undefined,
  fulfilled: undefined,
  toldSpendable: undefined,
  formerClaims: undefined,
  seenSpend: undefined,
  feerates: undefined,
  claims: state.claims.map(({ id, inputs }) => ({ id, inputs })),
});

const block = fc.array(fc.nat(30), { maxLength: 4 });

describe("monitor core: disconnecting what was connected", function () {
  this.timeout(60_000);
  for (const channelType of CHANNEL_TYPES) {
    it(`gives the state back on ${channelType}`, async () => {
      let spends = 0;
      let deep = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(danceAction, { minLength: 5, maxLength: 25 }),
          fc.array(block, { maxLength: 6 }),
          fc.array(block, { minLength: 1, maxLength: MAX_DEPTH }),
          async (actions, before, blocks) => {
            const contestDelay = blockDelta(20);
            const keys = { channelKeysId: new Uint8Array(32).fill(0x11) };
            const p = await protectedChannel({ channelType, holder: { ...keys, contestDelay } });
            const dancer = new Dancer(p);
            for (const action of actions) await dancer.perform(action);
            for (const picks of before) p.mine(...pickBlock(p, dancer.secrets, picks));
            const state = reversible(p.state);
            const mature = Math.min(...p.state.waiting.map(({ matureAt }) => matureAt));
            const wasOpen = p.state.spend === undefined;
            let depth = 0;
            for (const picks of blocks) {
              if (p.height + 1 >= mature) break;
              p.mine(...pickBlock(p, dancer.secrets, picks));
              depth++;
            }
            if (wasOpen && p.state.spend !== undefined) spends++;
            if (depth > 2) deep++;
            assert.deepEqual(p.disconnect(depth).events, [], "a reorg tells nothing");
            assert.deepStrictEqual(reversible(p.state), state);
          },
        ),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
      assert.ok(spends > RUNS / 10, `only ${spends} runs disconnected a spend`);
      assert.ok(deep > RUNS / 5, `only ${deep} runs went deep`);
    });
  }
});
