/**
 * LDK's WASM package. Loading is explicit, because the package prints a line on stdout when it starts;
 * that line carries LDK's exact version and belongs into the recording, not on the terminal.
 */
import { readFile } from "node:fs/promises";
import * as ldk from "lightningdevkit";
import { z } from "zod";

export { ldk };

export interface LdkVersion {
  /** Package and version as in package.json. */
  readonly npm: string;
  /** What the module says of itself. */
  readonly banner: string;
}

const Manifest = z.object({ name: z.string(), version: z.string() });
let loaded: Promise<LdkVersion> | undefined;

/** Must be awaited before anything else of the package is used. */
export function loadLdk(): Promise<LdkVersion> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<LdkVersion> {
  const home = new URL(".", import.meta.resolve("lightningdevkit"));
  const wasm = await readFile(new URL("liblightningjs.wasm", home));
  const manifest = Manifest.parse(
    JSON.parse(await readFile(new URL("package.json", home), "utf8")),
  );
  const print = console.log;
  let banner = "";
  console.log = (...words: unknown[]) => {
    const line = words.map(String).join(" ");
    if (line.startsWith("Loaded LDK")) banner = line;
    else print(...words);
  };
  try {
    await ldk.initializeWasmFromBinary(Uint8Array.from(wasm));
  } finally {
    console.log = print;
  }
  return { npm: `${manifest.name}@${manifest.version}`, banner };
}
