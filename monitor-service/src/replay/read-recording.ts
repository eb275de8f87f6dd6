/** Reads a recording from a file. Whatever is wrong with it is said in one line, with its place. */
import { readFileSync } from "node:fs";
import type { z } from "zod";
import { RecordingShape, type BlockShape } from "./recording-shape.js";
import { ReplayError } from "./replay-error.js";

export type Recording = Omit<z.infer<typeof RecordingShape>, "blocks" | "meta"> & {
  /** Also those that were reorganised away, by hash. */
  readonly blocks: ReadonlyMap<string, BlockShape>;
};

export function readRecording(file: string): Recording {
  const parsed = RecordingShape.safeParse(parseJson(file));
  if (!parsed.success) throw new ReplayError(`${file}: ${firstIssue(parsed.error)}`);
  const { blocks, meta, ...rest } = parsed.data;
  const all = [...blocks, ...(meta?.reorged_blocks ?? [])];
  return { ...rest, blocks: new Map(all.map((block) => [block.hash, block])) };
}

function parseJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ReplayError(`${file}: ${error instanceof Error ? error.message : "unreadable"}`);
  }
}

function firstIssue({ issues: [issue] }: z.ZodError): string {
  return issue === undefined ? "not a recording" : `${issue.path.join(".")}: ${issue.message}`;
}
