/**
 * An LDK node in an operating-system process of its own, as a test holds it: start, call, kill with SIGKILL,
 * start again from the same folder.
 */
import { fork, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { assert, must } from "@farwatch/protocol/assert";
import { disownProcess, ownProcess } from "../bitcoind/children.js";
import type { CallMessage, CallName, Calls, NodeMessage, NodePlan, NodeState } from "./protocol.js";

const PROGRAM = path.join(import.meta.dirname, "main.js");
/** A cold start compiles 12 MB of WASM; a restart rebuilds every monitor besides. */
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 15_000;
const OWNER_ONLY = 0o600;

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** The process ended before it answered. */
export class NodeDied extends Error {
  override readonly name = "NodeDied";
}

export class LdkProcess {
  /** Of its stdout and stderr. */
  readonly log: string[] = [];
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #nodeId: string | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();

  constructor(readonly plan: NodePlan) {}

  get name(): string {
    return this.plan.name;
  }
  /** A process that was killed loses its channel a moment before it is gone. */
  get isRunning(): boolean {
    return this.#child?.connected === true;
  }
  get pid(): number {
    return must(this.#child?.pid, `${this.name} runs`);
  }
  /** Known since the first start. */
  get nodeId(): string {
    return must(this.#nodeId, `${this.name} was started`);
  }

  async start(): Promise<void> {
    assert(this.#child === undefined, `${this.name} already runs`);
    fs.mkdirSync(this.plan.folder, { recursive: true });
    const file = path.join(this.plan.folder, "plan.json");
    fs.writeFileSync(file, JSON.stringify(this.plan), { mode: OWNER_ONLY });
    const child = fork(PROGRAM, [file], {
      serialization: "advanced",
      execArgv: ["--enable-source-maps"],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child = child;
    ownProcess(must(child.pid, "spawned"));
    for (const stream of [child.stdout, child.stderr]) {
      must(stream, "piped").on("data", (text: Buffer) => this.log.push(text.toString("utf8")));
    }
    this.#exited = new Promise((resolve) => {
      child.once("exit", () => {
        this.#ended(child);
        resolve();
      });
    });
    await this.#untilReady(child);
  }

  call<N extends CallName>(name: N, ask: Calls[N]["ask"]): Promise<Calls[N]["answer"]> {
    const child = this.#child;
    if (child?.connected !== true) return Promise.reject(new NodeDied(`${this.name} does not run`));
    const message: CallMessage = { id: this.#nextId++, name, ask };
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(message.id, { resolve, reject });
      child.send(message, (error) => {
        if (error !== null) this.#take(message.id)?.reject(new NodeDied(error.message));
      });
    }) as Promise<Calls[N]["answer"]>;
  }

  state(): Promise<NodeState> {
    return this.call("state", {});
  }

  /** As a power cut of the process: no handler runs. */
  async kill9(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** Orderly, with a kill behind it, so that no test leaves a process behind. */
  async stop(): Promise<void> {
    this.#child?.kill("SIGTERM");
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), STOP_WITHIN_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Resolves when the process has ended, for whatever reason. */
  exited(): Promise<void> {
    return this.#exited;
  }

  #untilReady(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        child.kill("SIGKILL");
        reject(new Error(`LDK node ${this.name} ${why}\n${this.log.slice(-20).join("")}`));
      };
      const timer = setTimeout(() => fail("was not ready in time"), READY_WITHIN_MS);
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        fail(`ended with ${code ?? signal} before it was ready`);
      });
      child.on("message", (message: NodeMessage) => {
        if (message.type !== "ready") return this.#answer(message);
        clearTimeout(timer);
        this.#nodeId = message.nodeId;
        resolve();
      });
    });
  }

  #answer(message: Exclude<NodeMessage, { type: "ready" }>): void {
    const waiting = this.#take(message.id);
    if (message.type === "answer") waiting?.resolve(message.answer);
    else waiting?.reject(new Error(`${this.name}: ${message.message}`));
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #ended(child: ChildProcess): void {
    if (child.pid !== undefined) disownProcess(child.pid);
    this.#child = undefined;
    for (const id of [...this.#waiting.keys()]) {
      this.#take(id)?.reject(new NodeDied(`${this.name} ended`));
    }
  }
}
