/**
 * Finds a bitcoind for the tests: env BITCOIND, then PATH, then Debian's bitcoin-knots unpacked into a
 * private cache (debian-package.ts). Nothing on the system is changed and nothing needs root.
 */
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { fetchDebianBitcoind } from "./debian-package.js";
import type { BitcoindProgram } from "./program.js";

let located: Promise<BitcoindProgram> | undefined;

/** Looks once per process. Throws an Error that says what to install or to set. */
export function locateBitcoind(): Promise<BitcoindProgram> {
  located ??= locate(process.env);
  return located;
}

async function locate(env: NodeJS.ProcessEnv): Promise<BitcoindProgram> {
  const chosen = env["BITCOIND"];
  if (chosen !== undefined && chosen !== "") {
    if (!isExecutable(chosen)) throw new Error(`BITCOIND=${chosen} is not an executable file`);
    return { command: path.resolve(chosen), argsPrefix: [], env: {} };
  }
  const installed = onPath("bitcoind", env["PATH"] ?? "");
  if (installed !== undefined) return { command: installed, argsPrefix: [], env: {} };
  return fetchDebianBitcoind(cacheFolder(env));
}

/** FARWATCH_CACHE, else the user's cache folder. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const own = env["FARWATCH_CACHE"];
  if (own !== undefined && own !== "") return path.resolve(own, "bitcoind");
  const xdg = env["XDG_CACHE_HOME"];
  const base = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), ".cache");
  return path.join(base, "farwatch", "bitcoind");
}

function onPath(name: string, searchPath: string): string | undefined {
  return searchPath
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // absent or not executable: look further
  }
}
