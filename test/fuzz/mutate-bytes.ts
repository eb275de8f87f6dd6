/** Changes that know nothing of what the bytes mean. */
import { concatBytes } from "@farwatch/protocol/bytes";
import { bigEndian } from "../harness/ldk-bytes/wire.js";
import type { Random } from "./random.js";

type Change = (input: Uint8Array, donor: Uint8Array, random: Random) => Uint8Array;

const EDGES = [0n, 1n, 0x7fn, 0x80n, 0xfcn, 0xfdn, 0xfen, 0xffn, 0xffffn, 0x10000n];
const WIDE_EDGES = [0x7fff_ffffn, 0xffff_ffffn, 1n << 32n, (1n << 48n) - 1n, 1n << 48n];
const WIDEST_EDGES = [(1n << 53n) - 1n, 1n << 53n, (1n << 63n) - 1n, (1n << 64n) - 1n];
const WIDTHS = [1, 2, 4, 6, 8];

function edge(random: Random): Uint8Array {
  const value = random.pick([...EDGES, ...WIDE_EDGES, ...WIDEST_EDGES]) ?? 0n;
  return bigEndian(BigInt.asUintN(64, value), random.pick(WIDTHS) ?? 1);
}

/** All zero, all ones, an edge of a number, or noise. */
export function strangeBytes(random: Random, length: number): Uint8Array {
  switch (random.below(4)) {
    case 0:
      return new Uint8Array(length);
    case 1:
      return new Uint8Array(length).fill(0xff);
    case 2:
      return edge(random);
    default:
      return random.bytes(Math.min(length, 64));
  }
}

const spliced = (
  input: Uint8Array,
  from: number,
  { removed, put }: { removed: number; put: Uint8Array },
): Uint8Array => concatBytes(input.subarray(0, from), put, input.subarray(from + removed));

const NOTHING = new Uint8Array();

const CHANGES: readonly Change[] = [
  (input, _donor, random) => {
    const out = Uint8Array.from(input);
    const at = random.below(out.length);
    if (out.length > 0) out[at] = (out[at] ?? 0) ^ (1 << random.below(8));
    return out;
  },
  (input, _donor, random) => {
    const put = edge(random);
    return spliced(input, random.below(input.length), { removed: put.length, put });
  },
  (input, _donor, random) => {
    const put = random.bytes(1 + random.below(16));
    return spliced(input, random.below(input.length + 1), { removed: 0, put });
  },
  (input, _donor, random) =>
    spliced(input, random.below(input.length), { removed: 1 + random.below(32), put: NOTHING }),
  (input, _donor, random) => input.subarray(0, random.below(input.length)),
  (input, _donor, random) => {
    const from = random.below(input.length);
    const put = input.subarray(from, from + 1 + random.below(64));
    return spliced(input, from, { removed: 0, put });
  },
  (input, donor, random) =>
    concatBytes(
      input.subarray(0, random.below(input.length)),
      donor.subarray(random.below(donor.length)),
    ),
];

export const mutateBytes = (input: Uint8Array, donor: Uint8Array, random: Random): Uint8Array =>
  random.pick(CHANGES)?.(input, donor, random) ?? input;
