/**
 * The counterparty's revocation secrets and its next points, as the body of a monitor writes them (LDK
 * ln/chan_utils.rs `CounterpartyCommitmentSecrets`; ldk-binary section 6.1).
 */
import type { PerCommitmentSecret } from "../ids.js";
import { sequence, type Codec } from "./codec.js";
import { exactly } from "./collections.js";
import { jsonList, refuseJson } from "./json.js";
import { publicKey, secret, u48, u64 } from "./primitives.js";

/** BOLT 3: one secret for each possible number of trailing zeros in an index of 48 bits. */
const SECRET_SLOTS = 49;
/** The index of a slot that was never filled; its secret is zeros. */
const EMPTY_INDEX = 2n ** 48n;

const slot = sequence({ secret, index: u64 });
const slots = exactly(SECRET_SLOTS, slot);

export interface CommitmentSecretSlot {
  readonly secret: PerCommitmentSecret;
  readonly index: bigint;
}

const isEmpty = ({ secret, index }: CommitmentSecretSlot): boolean =>
  index === EMPTY_INDEX && secret.every((byte) => byte === 0);

/** JSON leaves out the empty slots at the end: nearly all of them, in a young channel. */
export const commitmentSecrets: Codec<readonly CommitmentSecretSlot[]> = {
  ...slots,
  toJson: (value) => {
    const filled = value.findLastIndex((item) => !isEmpty(item)) + 1;
    return slots.toJson(value.slice(0, filled));
  },
  fromJson: (json, path) => {
    const { length } = jsonList(json, path);
    if (length > SECRET_SLOTS) refuseJson(path, `more than ${SECRET_SLOTS} items`);
    const empty = { secret: "00".repeat(32), index: String(EMPTY_INDEX) };
    const missing = Array.from({ length: SECRET_SLOTS - length }, () => empty);
    return slots.fromJson([...jsonList(json, path), ...missing], path);
  },
};

export interface CurrentPoints {
  readonly index: bigint;
  readonly first: Uint8Array;
  readonly second: Uint8Array | undefined;
}

const isZero = (key: Uint8Array): boolean => key.every((byte) => byte === 0);

/** Zeros stand for a point that is not there. */
const pointOrZeros: Codec<Uint8Array | undefined> = {
  mayBeAbsent: true,
  decode: (cursor) => {
    const key = publicKey.decode(cursor);
    return isZero(key) ? undefined : key;
  },
  encode: (writer, value) => publicKey.encode(writer, value ?? new Uint8Array(33)),
  toJson: (value) => (value === undefined ? null : publicKey.toJson(value)),
  fromJson: (json, path) => {
    const key = publicKey.fromJson(json, path);
    return isZero(key) ? refuseJson(path, "zeros stand for no point") : key;
  },
};

const points: Codec<CurrentPoints> = sequence({
  index: u48,
  first: publicKey,
  second: pointOrZeros,
});
const pointsAfterIndex = sequence({ first: publicKey, second: pointOrZeros });

/** Index 0 says that there are none, and ends the value. */
export const currentPoints: Codec<CurrentPoints | undefined> = {
  mayBeAbsent: true,
  decode: (cursor) => {
    const index = u48.decode(cursor);
    return index === 0n ? undefined : { index, ...pointsAfterIndex.decode(cursor) };
  },
  encode: (writer, value) => {
    if (value === undefined) return u48.encode(writer, 0n);
    points.encode(writer, value);
    if (value.index === 0n) writer.fail("index 0 stands for no points");
  },
  toJson: (value) => (value === undefined ? null : points.toJson(value)),
  fromJson: (json, path) => {
    const value = points.fromJson(json, path);
    return value.index === 0n ? refuseJson(path, "index 0 stands for no points") : value;
  },
};
