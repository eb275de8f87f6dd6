/** LDK bytes as a broken or hostile node would send them: real ones, changed by test/fuzz. */
import { concatBytes } from "@farwatch/protocol/bytes";
import { mutate } from "../../fuzz/mutate.js";
import { Random } from "../../fuzz/random.js";
import { bigEndian } from "../../harness/ldk-bytes/wire.js";

/** Where an update says its id: behind version and minimum version. */
const ID_AT = 2;
const ID_END = 10;

/** `first` is changed more often than the others, which also give parts. */
export function* changed(
  first: Uint8Array,
  others: readonly Uint8Array[],
  { count, seed }: { readonly count: number; readonly seed: number },
): Generator<Uint8Array> {
  const random = new Random(seed);
  for (let made = 0; made < count; made++) {
    const input = random.chance(3) ? (random.pick(others) ?? first) : first;
    yield mutate(input, random.pick(others) ?? first, random);
  }
}

/** The same with the id that is expected next, so that what is refused is something else. */
export const withId = (bytes: Uint8Array, id: bigint): Uint8Array =>
  bytes.length < ID_END
    ? bytes
    : concatBytes(bytes.subarray(0, ID_AT), bigEndian(id, 8), bytes.subarray(ID_END));
