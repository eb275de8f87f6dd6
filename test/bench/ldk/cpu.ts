/** CPU time of processes, which other work on the machine changes less than it changes the clock on the wall. */
import fs from "node:fs";
import { must } from "@farwatch/protocol/assert";

/** proc(5): USER_HZ is 100 wherever Node runs on Linux. */
const MS_PER_TICK = 10;
/** proc(5), counted after the name, which may hold spaces: utime, stime. */
const UTIME = 11;

/** Ms of user and system time since the process began. */
export function cpuMs(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = (at: number): number => Number(must(fields[at], "a field of stat"));
  return (ticks(UTIME) + ticks(UTIME + 1)) * MS_PER_TICK;
}

export const cpuMsOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
