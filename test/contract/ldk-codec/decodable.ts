/** The built vectors that the decoder reads so far: not those of pull request 4640. */
import { builtVectors, type BuiltVector } from "../../harness/ldk-bytes/vectors.js";

const TRAMPOLINES_OF_MAIN = new Set([
  "step 1, a trampoline",
  "trampoline of main",
  "monitor of main in a splice",
]);

export const decodable = (): readonly BuiltVector[] =>
  builtVectors().filter(({ line, name }) => line !== "pr4640" && !TRAMPOLINES_OF_MAIN.has(name));
