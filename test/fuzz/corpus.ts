/**
 * Inputs that are kept: what once went wrong, and the smallest that show everything a long run has seen. One
 * file for each target, lines `name hex`, compressed because the lines are much alike.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { sha256 } from "@noble/hashes/sha2.js";
import { tryInput } from "./session.js";
import type { Target } from "./targets.js";

export interface Kept {
  /** What went wrong with it, or `seen-` and a hash. */
  readonly name: string;
  readonly input: Uint8Array;
}

/** From test/dist/fuzz to test/fuzz. */
const folder = new URL("../../fuzz/corpus/", import.meta.url);
const fileOf = (target: string): URL => new URL(`${target}.txt.br`, folder);

export function corpusOf(target: string): readonly Kept[] {
  const file = fileOf(target);
  if (!existsSync(file)) return [];
  const lines = brotliDecompressSync(readFileSync(file)).toString("utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const [name = "", hex = ""] = line.split(" ");
    return { name, input: fromHex(hex) };
  });
}

/** A window as wide as the file, so that a line is found again in any later one. */
const WINDOW_BITS = 24;

export function writeCorpus(target: string, kept: readonly Kept[]): number {
  const text = kept.map(({ name, input }) => `${name} ${toHex(input)}\n`).join("");
  const { BROTLI_PARAM_LGWIN, BROTLI_PARAM_QUALITY, BROTLI_MAX_QUALITY } = constants;
  const packed = brotliCompressSync(text, {
    params: {
      [BROTLI_PARAM_LGWIN]: WINDOW_BITS,
      [BROTLI_PARAM_QUALITY]: BROTLI_MAX_QUALITY,
    },
  });
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(target), packed);
  return packed.length;
}

export const seenName = (input: Uint8Array): string => `seen-${toHex(sha256(input)).slice(0, 12)}`;

/** All that once went wrong, and of the others the shortest ones that together show all features. */
export function distilled(
  target: Target,
  all: readonly Kept[],
  mostBytes: number,
): readonly Kept[] {
  const shown = new Set<string>();
  for (const seed of target.seeds()) {
    for (const feature of tryInput(target, seed).seen.features) shown.add(feature);
  }
  const chosen: Kept[] = all.filter(({ name }) => !name.startsWith("seen-"));
  let bytes = 0;
  for (const kept of all.filter((each) => !chosen.includes(each)).sort(shortest)) {
    const fresh = tryInput(target, kept.input).seen.features.filter((each) => !shown.has(each));
    if (fresh.length === 0 || bytes + kept.input.length > mostBytes) continue;
    for (const feature of fresh) shown.add(feature);
    bytes += kept.input.length;
    chosen.push(kept);
  }
  return chosen;
}
const shortest = (a: Kept, b: Kept): number => a.input.length - b.input.length;
