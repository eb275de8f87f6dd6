/** The built vectors as files: one for each kind, hex and meaning in LDK's names. */
import { toHex } from "@farwatch/protocol/bytes";
import { builtVectors, bytesOf, type BuiltVector } from "./vectors.js";

/** From test/dist/harness/ldk-bytes to test/vectors. */
export const builtFolder = new URL("../../../vectors/ldk-built/", import.meta.url);

/** What was read to write the builders, by the name a vector gives its version. */
export const LDK_COMMITS = {
  "0.2": "5bc1dc84b3a1b084f84de4b7ece3d978b678d894",
  "0.3": "22cdec713c9c2f077d4e9f51c8f5cd615300085a",
  main: "cfee4b75593b5f676b998713fa60847311cfb270",
  pr4640: "51058bf8c84b520830cd89e99f40deb481a2dfb3",
};

const entryOf = (vector: BuiltVector): object => ({
  name: vector.name,
  ldk: vector.line,
  hex: toHex(bytesOf(vector)),
  meaning: vector.built.meaning,
});

export function fileTexts(): ReadonlyMap<string, string> {
  const kinds = new Map<string, object[]>();
  for (const vector of builtVectors()) {
    kinds.set(vector.kind, [...(kinds.get(vector.kind) ?? []), entryOf(vector)]);
  }
  return new Map(
    [...kinds].map(([kind, vectors]) => [
      `${kind}.json`,
      `${JSON.stringify({ source: "lightningdevkit/rust-lightning", commits: LDK_COMMITS, vectors }, null, 1)}\n`,
    ]),
  );
}
