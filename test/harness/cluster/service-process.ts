/**
 * One service as an operating-system process: started through its committed bin with the Node that runs
 * the tests, ready when it logs "listening", killed by pid. Its log is kept for assertions.
 */
import { spawn, type ChildProcess } from "node:child_process";
import readline from "node:readline";
import { assert, must } from "@farwatch/protocol/assert";
import { disownProcess, ownProcess } from "../bitcoind/children.js";

/** A cold start loads the curve, opens the store and replays its log. */
const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 15_000;

export interface ServiceCommand {
  readonly name: string;
  /** Path of a script. */
  readonly script: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export class ServiceProcess {
  readonly log: string[] = [];
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(readonly command: ServiceCommand) {}

  get isRunning(): boolean {
    return this.#child !== undefined;
  }
  get pid(): number {
    return must(this.#child?.pid, `${this.command.name} runs`);
  }

  async start(): Promise<void> {
    assert(!this.isRunning, `${this.command.name} already runs`);
    const { script, args, env } = this.command;
    const child = spawn(process.execPath, ["--enable-source-maps", script, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    ownProcess(must(child.pid, "spawned"));
    this.#exited = new Promise((resolve) => {
      child.once("exit", () => {
        if (child.pid !== undefined) disownProcess(child.pid);
        this.#child = undefined;
        resolve();
      });
    });
    await this.#untilListening(child);
  }

  /** As a crash or a power cut of the process: no handler runs. */
  async kill9(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** Orderly; falls back to a kill so that no test leaves a process behind. */
  async stop(): Promise<void> {
    this.#child?.kill("SIGTERM");
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), STOP_WITHIN_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Resolves when the process has ended by itself. */
  exited(): Promise<void> {
    return this.#exited;
  }

  #untilListening(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        child.kill("SIGKILL");
        const tail = this.log.slice(-20).join("\n");
        reject(new Error(`${this.command.name} ${why}\n${tail}`));
      };
      const timer = setTimeout(() => fail("did not become ready in time"), READY_WITHIN_MS);
      child.once("exit", (code) => {
        clearTimeout(timer);
        fail(`exited with ${code ?? "a signal"} before it was ready`);
      });
      const onLine = (line: string): void => {
        this.log.push(line);
        if (!line.includes('"msg":"listening"')) return;
        clearTimeout(timer);
        resolve();
      };
      for (const stream of [child.stdout, child.stderr]) {
        readline.createInterface({ input: must(stream, "piped") }).on("line", onLine);
      }
    });
  }
}
