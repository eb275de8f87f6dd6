/** Plans over real regtest headers: connects, reorgs by depth and by work, and every kind of lie. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { blockHeight, type BlockPoint } from "@farwatch/protocol/block";
import type { BlockHeader } from "./chain-source.js";
import {
  HEADER_RING_SIZE,
  MAX_REORG_DEPTH,
  planFollow,
  pointOf,
  type FollowPlan,
} from "./follow-chain.js";
import { HARDER_BITS, mineBlock, REGTEST_BITS } from "./testing/fake-chain.js";

type Falsify = (header: BlockHeader) => BlockHeader | undefined;

/** `length` headers on `from` (excluded), oldest first. */
function grow(from: BlockHeader | undefined, length: number, bits = REGTEST_BITS): BlockHeader[] {
  const headers: BlockHeader[] = [];
  for (let i = 0; i < length; i++) {
    headers.push(mineBlock(headers.at(-1) ?? from, { bits }).header);
  }
  return headers;
}
const last = (headers: readonly BlockHeader[]): BlockHeader => must(headers.at(-1), "header");
const ringOf = (headers: readonly BlockHeader[]): BlockHeader[] =>
  headers.slice(-HEADER_RING_SIZE).reverse();

/** Answers the search from a list; counts the questions. */
function plan(
  ours: readonly BlockHeader[],
  theirs: readonly BlockHeader[],
  options: { candidate?: BlockPoint; falsify?: Falsify } = {},
): { plan: FollowPlan; asked: number } {
  const byHash = new Map(theirs.map((header) => [header.hash, header]));
  const candidate = options.candidate ?? pointOf(last(theirs));
  const search = planFollow(ringOf(ours), candidate, "regtest");
  let asked = 0;
  for (let step = search.next(); ; asked++) {
    if (step.done === true) return { plan: step.value, asked };
    const known = byHash.get(step.value);
    step = search.next(known && options.falsify ? options.falsify(known) : known);
  }
}

describe("plan follow", () => {
  const base = grow(undefined, 160);
  const tip = last(base);

  it("asks nothing when the candidate is our tip", () => {
    assert.deepEqual(plan(base, base), { plan: { kind: "upToDate" }, asked: 0 });
  });

  it("connects new blocks oldest first and disconnects nothing", () => {
    const more = grow(tip, 3);
    const { plan: found, asked } = plan(base, [...base, ...more]);
    const expected = { kind: "follow", forkPoint: pointOf(tip), disconnects: false, connect: more };
    assert.deepEqual(found, expected);
    assert.equal(asked, 3);
  });

  for (const depth of [1, 2, 3, 5, 6, 7, 12, 50, 99, MAX_REORG_DEPTH]) {
    it(`replaces ${depth} blocks by ${depth + 1}`, () => {
      const fork = must(base.at(-1 - depth), "fork");
      const branch = grow(fork, depth + 1);
      const { plan: found } = plan(base, [...base, ...branch]);
      const expected = {
        kind: "follow",
        forkPoint: pointOf(fork),
        disconnects: true,
        connect: branch,
      };
      assert.deepEqual(found, expected);
    });
  }

  it("refuses a reorg one block deeper than the limit, without walking further", () => {
    const fork = must(base.at(-2 - MAX_REORG_DEPTH), "fork");
    const branch = grow(fork, MAX_REORG_DEPTH + 2);
    const { plan: found, asked } = plan(base, [...base, ...branch]);
    assert.deepEqual(found, { kind: "forkTooDeep", candidate: pointOf(last(branch)) });
    assert.equal(asked, MAX_REORG_DEPTH + 1);
  });

  it("refuses a fork below the oldest header we remember", () => {
    const known = base.slice(-4);
    const fork = must(base.at(-5), "fork");
    const { plan: found } = plan(known, grow(fork, 6));
    assert.equal(found.kind, "forkTooDeep");
    const sibling = plan([tip], grow(must(base.at(-2), "parent"), 1));
    assert.equal(sibling.plan.kind, "forkTooDeep");
  });

  it("stays where the work is: not for fewer blocks, not for as many", () => {
    const fork = must(base.at(-4), "fork");
    const fewer = plan(base, grow(fork, 2));
    assert.deepEqual(fewer.plan, { kind: "keep", lessWork: true });
    const equal = plan(base, grow(fork, 3));
    assert.deepEqual(equal.plan, { kind: "keep", lessWork: false });
    const ancestor = plan(base, base, { candidate: pointOf(fork) });
    assert.deepEqual(ancestor, { plan: { kind: "keep", lessWork: true }, asked: 0 });
  });

  it("counts work, not blocks", () => {
    const fork = must(base.at(-4), "fork");
    const harder = plan(base, grow(fork, 1, HARDER_BITS));
    assert.equal(harder.plan.kind, "follow");
    const ours = [...base, ...grow(tip, 1, HARDER_BITS)];
    const longer = plan(ours, grow(tip, 3));
    assert.deepEqual(longer.plan, { kind: "keep", lessWork: true });
  });

  it("takes a source far below us for one that is behind", () => {
    const low = must(base[20], "low");
    const behind = plan(base, base, { candidate: pointOf(low) });
    assert.deepEqual(behind.plan, { kind: "keep", lessWork: true });
    const short = plan([tip], base, { candidate: pointOf(low) });
    assert.deepEqual(short.plan, { kind: "keep", lessWork: true });
  });

  it("says which header the source does not know", () => {
    const more = grow(tip, 2);
    const { plan: found } = plan(base, more.slice(1));
    assert.deepEqual(found, { kind: "headerMissing", hash: must(more[0], "first").hash });
  });

  it("refuses a header that is another block, has no work, or stands at another height", () => {
    const more = grow(tip, 2);
    const other = last(grow(tip, 1));
    const lie = (falsify: Falsify): FollowPlan => plan(base, more, { falsify }).plan;
    const hash = last(more).hash;
    assert.deepEqual(
      lie(() => other),
      { kind: "invalid", hash, fault: "notThisBlock" },
    );
    assert.deepEqual(
      lie((header) => ({ ...header, raw: header.raw.subarray(1) })),
      { kind: "invalid", hash, fault: "malformed" },
    );
    const higher = { height: blockHeight(last(more).height + 5), hash };
    const { plan: shifted } = plan(base, more, { candidate: higher });
    const first = must(more[0], "first").hash;
    assert.deepEqual(shifted, { kind: "invalid", hash: first, fault: "unlinked" });
  });

  it("believes the place in the chain, not the height a header claims", () => {
    const more = grow(tip, 2);
    const { plan: found } = plan(base, more, {
      falsify: (header) => ({ ...header, height: blockHeight(3) }),
    });
    assert.ok(found.kind === "follow");
    assert.deepEqual(found.connect, more);
  });
});
