/**
 * The processes and folders this test process owes the machine. They go away with it, also on Ctrl-C.
 * A process is known by its pid only; nothing is ever ended by name.
 */
import { rmSync } from "node:fs";

const pids = new Set<number>();
const folders = new Set<string>();
let installed = false;

export function ownProcess(pid: number): void {
  pids.add(pid);
  install();
}

/** The process has ended: its pid may soon belong to somebody else. */
export const disownProcess = (pid: number): boolean => pids.delete(pid);

export function ownFolder(folder: string): void {
  folders.add(folder);
  install();
}

export function removeFolder(folder: string): void {
  folders.delete(folder);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

function install(): void {
  if (installed) return;
  installed = true;
  process.once("exit", cleanUp);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      cleanUp();
      process.kill(process.pid, signal); // this handler is gone: now the default or the runner's own
    });
  }
}

function cleanUp(): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      continue; // ended by itself
    }
  }
  pids.clear();
  for (const folder of folders) removeFolder(folder);
}
