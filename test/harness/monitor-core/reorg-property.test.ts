/**
 * Reorganisations of any depth are as if they had not been (reliability P-6): taking blocks off gives
 * back the state before them, and going on along another branch gives the state of a monitor that never
 * saw the first. Except for what was told or offered, what was proven (preimages), and fees, which never
 * fall.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { blockDelta } from "@farwatch/protocol/block";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import { outpointKey, type SourceKey } from "@farwatch/protocol/ids";
import { decodeState, encodeState } from "@farwatch/monitor-service/monitor/codec";
import { IRREVOCABLE_DEPTH } from "@farwatch/monitor-service/monitor/constants";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { step } from "@farwatch/monitor-service/monitor/step";
import { pickBlock } from "./candidates.js";
import { danceAction, Dancer } from "./dances.js";
import { bodiesOf, outcomesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES } from "./scenario.js";
import type { SimBlock } from "./sim-chain.js";

const RUNS = 14;
const SEED = 20_261_123;

type Fact = MonitorState["waiting"][number];

/** Everything but the order of lists, and what the header says may differ. */
const reversible = (state: MonitorState, proven: ReadonlySet<SourceKey>) => {
  const { settled, claims, waiting, tracked, outputSpends } = state;
  // What is proven fails no more, whatever branch it was proven on.
  const open = ({ fact }: Fact): boolean =>
    fact.kind !== "htlcFailure" || !proven.has(fact.htlc.source.sourceKey);
  const claimed = (list: MonitorState["claims"]): unknown =>
    sorted(list.map(({ id, inputs }) => ({ id, inputs })));
  return {
    ...state,
    // Told, offered, proven.
    nextEventId: undefined,
    spendReported: undefined,
    reported: undefined,
    toldSpendable: undefined,
    formerClaims: undefined,
    seenSpend: undefined,
    holderBroadcast: undefined,
    bumps: undefined,
    fulfilled: undefined,
    feerates: undefined,
    claims: claimed(claims),
    waiting: sorted(waiting.filter(open)),
    tracked: sorted(tracked),
    outputSpends: sorted([...outputSpends]),
    settled: {
      claims: claimed(settled.claims),
      facts: sorted(settled.facts.filter(open)),
      tracked: sorted(settled.tracked),
    },
  };
};

const textOf = (item: unknown): string =>
  JSON.stringify(item, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));

const sorted = (items: readonly unknown[]): readonly unknown[] =>
  items.map((item) => [textOf(item), item] as const).sort(([a], [b]) => (a < b ? -1 : 1));

/** Height of the oldest spend in the state: what is too deep is forgotten. */
const oldestFact = ({ spend, outputSpends }: MonitorState): number =>
  Math.min(
    spend?.block.height ?? Infinity,
    ...[...outputSpends.values()].map(({ height }) => height),
  );

/** Transactions of one block, or many blocks without any. */
const block = fc.oneof(
  { weight: 8, arbitrary: fc.array(fc.nat(30), { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom<"six" | "fifty">("six", "fifty") },
);
type Picks = typeof block extends fc.Arbitrary<infer T> ? T : never;
const EMPTY_BLOCKS = { six: 6, fifty: 50 } as const;

/** A life of a channel and the blocks of one branch after another. */
class Branches {
  constructor(
    readonly p: ProtectedChannel,
    readonly secrets: Dancer["secrets"],
  ) {}

  /** Mines a branch of at most `room` blocks and returns it. */
  grow(branch: readonly Picks[], room: number): readonly SimBlock[] {
    const blocks: SimBlock[] = [];
    const mine = (raws: readonly Uint8Array[]): void => {
      if (blocks.length === room) return;
      const mined = this.p.chain.mine(raws);
      this.p.apply(this.p.blockInput(mined, this.p.state));
      blocks.push(mined);
    };
    for (const picks of branch) {
      if (typeof picks !== "string") mine(pickBlock(this.p, this.secrets, picks));
      else for (let i = 0; i < EMPTY_BLOCKS[picks]; i++) mine([]);
    }
    return blocks;
  }

  /** What a monitor in this state does with these blocks. */
  follow(from: MonitorState, blocks: readonly SimBlock[]) {
    let state = from;
    const events: NewMonitorEvent[] = [];
    for (const mined of blocks) {
      const done = step(this.p.ctx, state, this.p.blockInput(mined, state));
      assert.ok(done.ok);
      ({ state } = done.value);
      events.push(...done.value.events);
    }
    return { state, events };
  }
}

/** All that is told on the straight way is told on the other: no outcome gets lost in a reorganisation. */
function assertNothingLost(straight: readonly NewMonitorEvent[], p: ProtectedChannel): void {
  for (const { source } of bodiesOf(straight, "htlcEvent")) {
    assert.notDeepEqual(outcomesOf(p.events, source.sourceKey), [], "an outcome was never told");
  }
  const outpoints = (events: readonly NewMonitorEvent[]): readonly string[] =>
    bodiesOf(events, "spendableOutputs").flatMap(({ outputs }) =>
      outputs.map(({ outpoint }) => outpointKey(outpoint)),
    );
  const told = outpoints(p.events);
  assert.equal(new Set(told).size, told.length, "told twice");
  for (const key of outpoints(straight)) assert.ok(told.includes(key), "an output was never told");
}

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
            const branches = new Branches(p, dancer.secrets);
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
