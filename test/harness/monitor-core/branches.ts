/**
 * Branches of a chain for property tests of reorganisations (reliability P-6), and what of a monitor's
 * state a reorganisation gives back: all but what was told or offered, what was proven (preimages), and
 * fees, which never fall.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import { outpointKey, type SourceKey } from "@farwatch/protocol/ids";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { step } from "@farwatch/monitor-service/monitor/step";
import { bodiesOf, outcomesOf } from "./event-rules.js";
import type { ProtectedChannel } from "./protected-channel.js";
import type { SimBlock } from "./sim-chain.js";

type Fact = MonitorState["waiting"][number];

/** Everything but the order of lists, and what the header says may differ. */
export const reversible = (state: MonitorState, proven: ReadonlySet<SourceKey>) => {
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
export const oldestFact = ({ spend, outputSpends }: MonitorState): number =>
  Math.min(
    spend?.block.height ?? Infinity,
    ...[...outputSpends.values()].map(({ height }) => height),
  );

/** Transactions of one block, or many blocks without any. */
export const block = fc.oneof(
  { weight: 8, arbitrary: fc.array(fc.nat(30), { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom<"six" | "fifty">("six", "fifty") },
);
export type Picks = typeof block extends fc.Arbitrary<infer T> ? T : never;
const EMPTY_BLOCKS = { six: 6, fifty: 50 } as const;

/** A life of a channel and the blocks of one branch after another. */
export class Branches {
  /** `pick`: transactions of the next block. */
  constructor(
    readonly p: ProtectedChannel,
    private readonly pick: (picks: readonly number[]) => readonly Uint8Array[],
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
      if (typeof picks !== "string") mine(this.pick(picks));
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
export function assertNothingLost(straight: readonly NewMonitorEvent[], p: ProtectedChannel): void {
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
