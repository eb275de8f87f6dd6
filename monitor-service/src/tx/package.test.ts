/** Which inputs share a claim, at the edges of every rule (onchain-engine 9.2; M-10). */
import assert from "node:assert/strict";
import { sat } from "@farwatch/protocol/amount";
import {
  MAX_CLAIM_INPUTS,
  MAX_JOINT_STAKE_SAT,
  PINNABLE_WITHIN_BLOCKS,
  packagesOf,
  type PackageInput,
} from "./package.js";

const HEIGHT = 700;
const FAR = HEIGHT + PINNABLE_WITHIN_BLOCKS + 1;
const SOON = HEIGHT + PINNABLE_WITHIN_BLOCKS;

const input = (name: string, patch: Partial<PackageInput> = {}) => ({
  name,
  facts: {
    tree: "counterparty" as const,
    notBefore: 0,
    pinnable: false,
    contestedFrom: FAR,
    hasDeadline: true,
    valueSat: sat(10_000),
    ...patch,
  },
});

const grouped = (...inputs: readonly ReturnType<typeof input>[]): readonly string[] =>
  packagesOf(inputs, HEIGHT, ({ facts }) => facts).map((group) =>
    group.map(({ name }) => name).join(""),
  );

describe("packages of claim inputs", () => {
  it("join what only we can spend for a while, in LDK's order", () => {
    assert.deepEqual(grouped(), []);
    assert.deepEqual(grouped(input("a")), ["a"]);
    assert.deepEqual(grouped(input("a"), input("b"), input("c")), ["acb"]);
  });

  it("keep revoked outputs and others apart", () => {
    assert.deepEqual(grouped(input("a"), input("b", { tree: "revoked" }), input("c")), ["ac", "b"]);
  });

  it("never join pinnable and unpinnable inputs", () => {
    const pinnable = { pinnable: true };
    assert.deepEqual(grouped(input("a"), input("b", pinnable), input("c", pinnable)), ["a", "bc"]);
  });

  it("count as pinnable what is contested within 12 blocks, and not what is contested later", () => {
    assert.equal(PINNABLE_WITHIN_BLOCKS, 12);
    assert.deepEqual(grouped(input("a"), input("b", { contestedFrom: SOON })), ["a", "b"]);
    assert.deepEqual(grouped(input("a"), input("b", { contestedFrom: FAR })), ["ab"]);
    const received = { pinnable: true, contestedFrom: HEIGHT - 5 };
    assert.deepEqual(grouped(input("a", received), input("b", { contestedFrom: SOON })), ["ab"]);
  });

  it("join equal locktimes only; locktimes that are over are equal", () => {
    const locked = (notBefore: number) => ({ pinnable: true, notBefore });
    assert.deepEqual(
      grouped(input("a", locked(710)), input("b", locked(711)), input("c", locked(710))),
      ["ac", "b"],
    );
    assert.deepEqual(grouped(input("a", locked(HEIGHT)), input("b", locked(0))), ["ab"]);
    assert.deepEqual(grouped(input("a", locked(HEIGHT + 1)), input("b", locked(0))), ["a", "b"]);
  });

  it("limit what pinnable inputs with a deadline are worth together", () => {
    const worth = (valueSat: bigint) => ({ pinnable: true, valueSat: sat(valueSat) });
    const half = MAX_JOINT_STAKE_SAT / 2n;
    assert.deepEqual(grouped(input("a", worth(half)), input("b", worth(half))), ["ab"]);
    assert.deepEqual(grouped(input("a", worth(half)), input("b", worth(half + 1n))), ["a", "b"]);
    assert.deepEqual(grouped(input("a", worth(half * 3n)), input("b", worth(1n))), ["a", "b"]);
    const calm = { valueSat: sat(half * 3n) };
    assert.deepEqual(grouped(input("a", calm), input("b", calm)), ["ab"]);
  });

  it("join pinnable inputs without a deadline whatever they are worth, but with nothing else", () => {
    const free = { tree: "revoked", pinnable: true, hasDeadline: false } as const;
    const large = { ...free, valueSat: sat(MAX_JOINT_STAKE_SAT) };
    const toLocalSoon = { tree: "revoked", contestedFrom: SOON } as const;
    assert.deepEqual(grouped(input("a", large), input("b", large), input("c", toLocalSoon)), [
      "ab",
      "c",
    ]);
  });

  it("start another claim beyond the limit of inputs", () => {
    const many = Array.from({ length: 2 * MAX_CLAIM_INPUTS + 1 }, () => input("x"));
    assert.deepEqual(
      grouped(...many).map(({ length }) => length),
      [MAX_CLAIM_INPUTS, MAX_CLAIM_INPUTS, 1],
    );
  });
});
