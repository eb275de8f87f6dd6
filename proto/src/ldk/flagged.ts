/** Values behind a byte that says whether they are there (LDK's oldest way to write an option). */
import type { Codec } from "./codec.js";

interface Marks {
  readonly present: 0 | 1;
  readonly absent: 0 | 1;
}

const byMark = <T>(codec: Codec<T>, { present, absent }: Marks): Codec<T | undefined> => ({
  mayBeAbsent: true,
  decode: (cursor) => {
    const mark = cursor.uint(1);
    if (mark > 1) cursor.fail({ kind: "badValue", what: "a marker is 0 or 1" });
    return mark === present ? codec.decode(cursor) : undefined;
  },
  encode: (writer, value) => {
    writer.uint(1, value === undefined ? absent : present);
    if (value !== undefined) codec.encode(writer, value);
  },
  toJson: (value) => (value === undefined ? null : codec.toJson(value)),
  fromJson: (json, path) => (json === null ? undefined : codec.fromJson(json, path)),
});

/** 1: it is there. */
export const flagged = <T>(codec: Codec<T>): Codec<T | undefined> =>
  byMark(codec, { present: 1, absent: 0 });

/** 0: it is there. */
export const flaggedByZero = <T>(codec: Codec<T>): Codec<T | undefined> =>
  byMark(codec, { present: 0, absent: 1 });
