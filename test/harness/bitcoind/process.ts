/** Starts and ends one bitcoind process: flags, first answer, orderly and violent end. */
import { spawn, execFile, type ChildProcess } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { ChainUnavailable } from "@farwatch/monitor-service/chain/chain-source";
import type { BitcoindRpc } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { disownProcess, ownProcess } from "./children.js";
import type { BitcoindProgram } from "./program.js";
import { locateBitcoind } from "./provider.js";

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

export interface NodePlan {
  readonly datadir: string;
  readonly rpcPort: number;
  readonly user: string;
  readonly password: string;
  readonly p2pPort: number | undefined;
  readonly zmqHashblock: string | undefined;
  readonly rest: boolean;
  readonly extraArgs: readonly string[];
}

export interface RunningNode {
  readonly pid: number;
  /** Resolves when the process has ended, however it ended. */
  readonly ended: Promise<void>;
}

/** Spawns bitcoind and waits for its first RPC answer; throws with the end of its log if it dies. */
export async function startProcess(plan: NodePlan, rpc: BitcoindRpc): Promise<RunningNode> {
  const program = await locateBitcoind();
  const args = [
    ...program.argsPrefix,
    ...flags(plan),
    ...(await policyFlags(program, plan.datadir)),
  ];
  const child = spawn(program.command, [...args, ...plan.extraArgs], {
    env: { HOME: plan.datadir, ...program.env, LC_ALL: "C" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const complaint = collect(child);
  const pid = child.pid;
  if (pid === undefined) throw new Error(`bitcoind did not start: ${program.command}`);
  ownProcess(pid);
  const end = { seen: false };
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => {
      end.seen = true;
      disownProcess(pid);
      resolve();
    });
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(rpc))) {
    if (end.seen)
      throw new Error(`bitcoind ended at start: ${complaint()} ${logTail(plan.datadir)}`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(
        `bitcoind gave no answer in ${START_TIMEOUT_MS} ms: ${logTail(plan.datadir)}`,
      );
    }
    await sleep(50);
  }
  return { pid, ended };
}

/** Asks bitcoind to stop and waits; a process that does not listen is killed. */
export async function stopProcess(node: RunningNode, rpc: BitcoindRpc): Promise<void> {
  await rpc.call("stop").catch((error: unknown) => {
    if (!(error instanceof ChainUnavailable)) throw error; // else it is ending or hangs already
  });
  const inTime = await Promise.race([
    node.ended.then(() => true),
    sleep(STOP_TIMEOUT_MS, false, { ref: false }),
  ]);
  if (!inTime) await killProcess(node);
}

/** SIGKILL: nothing is flushed, as in a power loss of the process. */
export async function killProcess(node: RunningNode): Promise<void> {
  try {
    process.kill(node.pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
  await node.ended;
}

function flags(plan: NodePlan): string[] {
  const p2p =
    plan.p2pPort === undefined
      ? ["-listen=0", "-connect=0"]
      : ["-listen=1", `-port=${plan.p2pPort}`, `-bind=127.0.0.1:${plan.p2pPort}`, "-listenonion=0"];
  return [
    "-regtest",
    `-datadir=${plan.datadir}`,
    "-server=1",
    "-daemon=0",
    "-printtoconsole=0",
    "-rpcbind=127.0.0.1",
    "-rpcallowip=127.0.0.1",
    `-rpcport=${plan.rpcPort}`,
    `-rpcauth=${rpcAuth(plan.user, plan.password)}`,
    `-rest=${plan.rest ? 1 : 0}`,
    ...(plan.zmqHashblock === undefined ? [] : [`-zmqpubhashblock=${plan.zmqHashblock}`]),
    ...p2p,
    "-dnsseed=0",
    "-fixedseeds=0",
    "-discover=0",
    "-natpmp=0",
    "-txindex=0",
    "-fallbackfee=0.00002",
    "-addresstype=bech32",
    "-changetype=bech32",
    "-keypool=10",
    "-acceptnonstdtxn=0",
  ];
}

/** share/rpcauth in bitcoind: user:salt$HMAC-SHA256(salt, password). The cookie works beside it. */
function rpcAuth(user: string, password: string): string {
  const salt = randomBytes(16).toString("hex");
  return `${user}:${salt}$${createHmac("sha256", salt).update(password).digest("hex")}`;
}

let policy: Promise<string[]> | undefined;

/** Knots' own policy refuses zero-fee v3 packages with anchors; this flag gives it Core's policy. */
function policyFlags(program: BitcoindProgram, datadir: string): Promise<string[]> {
  policy ??= promisify(execFile)(
    program.command,
    [...program.argsPrefix, `-datadir=${datadir}`, "-help-debug"],
    {
      env: { ...program.env },
      maxBuffer: 8 * 1024 * 1024,
    },
  ).then(({ stdout }) => (/^\s+-corepolicy\b/m.test(stdout) ? ["-corepolicy=1"] : []));
  return policy;
}

async function answers(rpc: BitcoindRpc): Promise<boolean> {
  try {
    await rpc.call("getblockcount");
    return true;
  } catch (error) {
    if (error instanceof ChainUnavailable) return false;
    throw error;
  }
}

function collect(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    if (text.length < 4_000) text += chunk.toString("utf8");
  });
  return () => text.trim();
}

function logTail(datadir: string): string {
  try {
    const log = readFileSync(path.join(datadir, "regtest", "debug.log"), "utf8");
    return log.split("\n").slice(-15).join("\n");
  } catch {
    return "(no debug.log)";
  }
}

/** Most a signal may take to reach every thread of a busy process. */
const STOPPED_WITHIN_MS = 5_000;
/** "pid (name) state ...": T is stopped by a signal (proc(5)). */
const STOPPED = /^\d+ \(.*\) T /s;

/** A thread that still runs could answer one more call, so a stop counts only when all have stopped. */
export async function untilStopped(pid: number): Promise<void> {
  const threads = `/proc/${pid}/task`;
  const deadline = Date.now() + STOPPED_WITHIN_MS;
  const runs = (thread: string): boolean =>
    !STOPPED.test(readFileSync(`${threads}/${thread}/stat`, "utf8"));
  while (readdirSync(threads).some(runs)) {
    if (Date.now() > deadline) throw new Error(`process ${pid} does not stop`);
    await sleep(5);
  }
}
