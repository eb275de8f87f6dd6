/** What a subcommand reads: a file, or standard input under the name `-`. */
import { readFile } from "node:fs/promises";
import { fromHex } from "@farwatch/protocol/bytes";
import { CliError } from "./cli-error.js";

export const STANDARD_INPUT = "-";

export async function readInput(file: string): Promise<Uint8Array> {
  if (file === STANDARD_INPUT) return readStandardInput();
  try {
    return await readFile(file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new CliError(`${file}: ${code}`);
  }
}

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array)); // no encoding is set
  return Buffer.concat(chunks);
}

const HEX_AND_SPACE = /^[0-9a-fA-F\s]*$/;

/**
 * Bytes as they are, or spelled in hex with any white space between. Binary that LDK wrote is never taken for
 * hex: versions, ids and lengths in it are below the first digit.
 */
export function bytesOfInput(input: Uint8Array): Uint8Array {
  const text = Buffer.from(input).toString("latin1");
  if (!HEX_AND_SPACE.test(text)) return input;
  const hex = text.replace(/\s/g, "").toLowerCase();
  if (hex.length % 2 === 1) throw new CliError("half a byte at the end of the hex");
  return fromHex(hex);
}
