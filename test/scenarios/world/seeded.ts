/** Chance that is the same in every run: a stream of bytes per name. */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, utf8 } from "@farwatch/protocol/bytes";

export function seededBytes(name: string): (length: number) => Uint8Array {
  let drawn = 0;
  return (length) => {
    const blocks: Uint8Array[] = [];
    for (let have = 0; have < length; have += 32) blocks.push(sha256(utf8(`${name}/${drawn++}`)));
    return concatBytes(...blocks).slice(0, length);
  };
}

/** 32 bytes; the same for the same name. */
export const named = (name: string): Uint8Array => sha256(utf8(name));
