/**
 * Reorganisations of a channel with splices are as if they had not been (reliability P-6): splices and
 * fee bumps of them confirm, lose, go and come back, are locked before or after, and the channel is closed
 * on any of its fundings.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { blockDelta } from "@farwatch/protocol/block";
import { outpointKey } from "@farwatch/protocol/ids";
import { decodeState, encodeState } from "@farwatch/monitor-service/monitor/codec";
import { isLostWithItsFunding } from "@farwatch/monitor-service/monitor/chain/lost-spend";
import { IRREVOCABLE_DEPTH, LOST_SPEND_BLOCKS } from "@farwatch/monitor-service/monitor/constants";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { ChannelRefusal } from "../channel/refusal.js";
import type { Side } from "../channel/setup.js";
import type { Splice } from "../channel/splice.js";
import { NOWHERE } from "../channel/test-channel.js";
import { assertNothingLost, block, Branches, oldestFact, reversible } from "./branches.js";
import { danceAction, Dancer } from "./dances.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES } from "./scenario.js";
import { SpliceCandidates } from "./splice-candidates.js";
import { spliceIn } from "./splicing.js";

const RUNS = 12;
const SEED = 1;

const spliceAction = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("splice" as const),
      side: fc.constantFrom<Side>("holder", "counterparty"),
      addSat: fc.bigInt({ min: 20_000n, max: 90_000n }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("lock" as const), pick: fc.nat(5) }),
  },
);
const action = fc.oneof(
  { weight: 4, arbitrary: danceAction },
  { weight: 2, arbitrary: spliceAction },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

class SplicingDancer {
  readonly dancer: Dancer;
  readonly splices: Splice[] = [];

  constructor(private readonly p: ProtectedChannel) {
    this.dancer = new Dancer(p);
  }

  async perform(next: Action): Promise<void> {
    if (next.kind !== "splice" && next.kind !== "lock") return this.dancer.perform(next);
    const { channel } = this.p;
    try {
      await channel.settle();
      if (next.kind === "splice") {
        this.splices.push(await spliceIn(this.p, next.side, next.addSat));
        return;
      }
      const { pending } = channel.splices;
      const splice = pending[next.pick % Math.max(pending.length, 1)];
      if (splice !== undefined) await channel.splices.lock(splice);
    } catch (error) {
      if (!(error instanceof ChannelRefusal)) throw error;
    }
  }
}

type Proven = Parameters<typeof reversible>[1];

/** Told once, or too deep to be undone. */
const reversibleWithSplices = (state: MonitorState, proven: Proven) => ({
  ...reversible(state, proven),
  pendingFundings: state.pendingFundings.map((scope) => ({ ...scope, discarded: undefined })),
  retiredFundings: undefined,
  suspects: undefined,
});

/** What goes out may confirm, unless it waits for a splice that others have to bring back. */
function assertFits(p: ProtectedChannel): void {
  const { funding, parent } = p.channel.splices.locked;
  if (parent !== undefined && !p.chain.confirmed(funding.txid)) return;
  const raws = p.published().flatMap(({ role, raw }) => (role === "lostFundingSpend" ? [] : [raw]));
  assert.ok(p.chain.hindrances(raws).every((reason) => reason === undefined));
}

describe("monitor core: reorganisations of a channel with splices", function () {
  this.timeout(120_000);
  for (const channelType of CHANNEL_TYPES) {
    it(`leave no trace but what was told on ${channelType}`, async () => {
      const seen = {
        closedOnSplice: 0,
        spliceGone: 0,
        closeGone: 0,
        locked: 0,
        deep: 0,
        closedNowhere: 0,
      };
      await fc.assert(
        fc.asyncProperty(
          fc.array(action, { minLength: 4, maxLength: 14 }),
          fc.array(block, { maxLength: 2 }),
          fc.array(action, { maxLength: 8 }),
          fc.array(block, { minLength: 1, maxLength: 8 }),
          fc.array(block, { maxLength: 8 }),
          async (first, before, second, lostBranch, wonBranch) => {
            const contestDelay = blockDelta(20);
            const keys = { channelKeysId: new Uint8Array(32).fill(0x11) };
            const p = await protectedChannel({ channelType, holder: { ...keys, contestDelay } });
            const life = new SplicingDancer(p);
            const { splices, dancer } = life;
            const candidates = new SpliceCandidates(p, dancer.secrets, splices);
            const branches = new Branches(p, (picks) => candidates.pick(picks));
            for (const next of first) await life.perform(next);
            branches.grow(before, IRREVOCABLE_DEPTH);
            if (p.state.spend === undefined) for (const next of second) await life.perform(next);
            const fork = decodeState(encodeState(p.state));
            const closedBefore = candidates.closedOn();
            if (p.channel.splices.locked.parent !== undefined) seen.locked++;

            const lost = branches.grow(lostBranch, IRREVOCABLE_DEPTH);
            const isKept = oldestFact(fork) + IRREVOCABLE_DEPTH > p.height;
            const closedOn = candidates.closedOn();
            const onSplice =
              closedOn !== undefined && outpointKey(closedOn) !== outpointKey(NOWHERE);
            if (onSplice) seen.closedOnSplice++;
            if (closedBefore === undefined && closedOn !== undefined) seen.closeGone++;
            if (lost.length > 6) seen.deep++;
            const there = splices.filter(({ funding }) => p.chain.confirmed(funding.txid));
            assert.deepEqual(p.disconnect(lost.length).events, [], "a reorg tells nothing");
            if (there.some(({ funding }) => !p.chain.confirmed(funding.txid))) seen.spliceGone++;
            const proven = new Set(p.state.fulfilled.keys());
            if (isKept) {
              assert.deepStrictEqual(
                reversibleWithSplices(p.state, proven),
                reversibleWithSplices(fork, proven),
              );
            }

            // The branch that wins is the longer one.
            const blocks = branches.grow([...wonBranch, ...lost.map(() => []), []], Infinity);
            const straight = branches.follow(fork, blocks);
            const known = new Set([...proven, ...p.state.fulfilled.keys()]);
            assert.deepStrictEqual(
              reversibleWithSplices(p.state, known),
              reversibleWithSplices(straight.state, known),
            );
            assertNothingLost(straight.events, p);
            assertFits(p);
            if (!isLostWithItsFunding(p.state)) return;
            seen.closedNowhere++;
            p.mineEmpty(LOST_SPEND_BLOCKS);
            assert.equal(p.published("holderCommitment").length, 1, "nobody ends the channel");
          },
        ),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
      assert.ok(
        Object.values(seen).every((times) => times > 0),
        JSON.stringify(seen),
      );
    });
  }
});
