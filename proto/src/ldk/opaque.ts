/** Structs whose inside nobody here reads: their length in front and their bytes, as one. */
import { toHex } from "../bytes.js";
import type { Codec } from "./codec.js";
import { decodeWhole, type Decoder } from "./cursor.js";
import { jsonBytes, refuseJson } from "./json.js";
import { checkedBytes } from "./primitives.js";

/** Bytes that are delimited by their own structure, which `walk` steps through to their end. */
export const delimited = (name: string, walk: Decoder<unknown>): Codec<Uint8Array> => ({
  decode: (cursor) => {
    const start = cursor.position;
    walk.decode(cursor);
    return cursor.since(start);
  },
  encode: (writer, value) => {
    const isWhole = decodeWhole(name, walk, checkedBytes(writer, value)).ok;
    writer.put(isWhole ? value : writer.fail(`not a whole ${name}`));
  },
  toJson: toHex,
  fromJson: (json, path) => {
    const value = jsonBytes(json, path);
    return decodeWhole(name, walk, value).ok ? value : refuseJson(path, `not a whole ${name}`);
  },
});

export const opaqueStruct = delimited("opaque", {
  decode: (cursor) => cursor.sub(cursor.bigSize(), "opaque"),
});
