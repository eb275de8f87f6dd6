/**
 * What a plugin sees of lightningd: it is started without arguments, spoken to over stdin and stdout, and may
 * ask getinfo on a Unix socket. Everything it says is kept. No rules of its own.
 */
import { spawn, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import { createServer, type Server } from "node:net";
import os from "node:os";
import path from "node:path";
import { z } from "zod";
import { must } from "@farwatch/protocol/assert";
import { JsonStream } from "@farwatch/manager-service/cln/json-stream";
import { disownProcess, ownFolder, ownProcess, removeFolder } from "../bitcoind/children.js";
import { until } from "../cluster/chain-facts.js";
import { CLN } from "./vectors.js";

const root = path.resolve(import.meta.dirname, "../../../..");
const PLUGIN = path.join(root, "manager-service/bin/farwatch-cln-plugin.js");

const said = z.looseObject({
  id: z.string().optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
  method: z.string().optional(),
  params: z.unknown().optional(),
});
const log = z.object({ level: z.string(), message: z.string() });
const status = z.looseObject({
  running: z.boolean(),
  connected: z.boolean().optional(),
  queued: z.number().optional(),
  channels: z
    .array(z.object({ channel_id: z.string(), durable_updates: z.number(), queued: z.number() }))
    .optional(),
  events: z.array(z.object({ at: z.string(), text: z.string() })).optional(),
});

export interface LightningdRequest {
  readonly id: string;
  readonly method?: unknown;
  readonly params?: unknown;
}

export interface LightningdOptions {
  readonly nodeId?: string;
  /** Of the plugin, as lightningd's config gives them. */
  readonly options: Readonly<Record<string, unknown>>;
}

export class Lightningd {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-cln-"));
  /** "level: message". */
  readonly log: string[] = [];
  readonly #answers = new Map<string, unknown>();
  readonly #server: Server;
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);

  constructor(readonly options: LightningdOptions) {
    ownFolder(this.folder);
    const { nodeId = CLN.nodeId } = options;
    this.#server = createServer((socket) => {
      const stream = new JsonStream();
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        for (const asked of stream.push(chunk)) {
          const { id } = z.object({ id: z.string(), method: z.literal("getinfo") }).parse(asked);
          socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, result: { id: nodeId } })}\n\n`);
        }
      });
    });
    this.#server.listen(path.join(this.folder, "lightning-rpc"));
  }

  /** Starts the plugin as lightningd does; the answer to init. */
  async start(options: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const child = spawn(process.execPath, [PLUGIN], {
      cwd: this.folder,
      env: { ...process.env, LIGHTNINGD_PLUGIN: "1", LIGHTNINGD_VERSION: "v26.06" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    ownProcess(must(child.pid, "spawned"));
    this.#exited = new Promise((resolve) => {
      child.once("exit", (code) => {
        if (child.pid !== undefined) disownProcess(child.pid);
        resolve(code);
      });
    });
    child.stdin.on("error", () => undefined);
    child.stderr.on("data", (chunk: Buffer) => this.log.push(`stderr: ${chunk.toString()}`));
    const stream = new JsonStream();
    child.stdout.on("data", (chunk: Buffer) => {
      for (const message of stream.push(chunk)) this.#heard(message);
    });
    await this.ask(CLN.getmanifest);
    const { configuration, options: given } = CLN.init.params;
    return this.ask({
      ...CLN.init,
      params: {
        options: { ...given, ...this.options.options, ...options },
        configuration: { ...configuration, "lightning-dir": this.folder },
      },
    });
  }

  #heard(message: unknown): void {
    const { id, result, error, method, params } = said.parse(message);
    if (id !== undefined) this.#answers.set(id, error ?? result);
    if (method !== "log") return;
    const { level, message: text } = log.parse(params);
    this.log.push(`${level}: ${text}`);
  }

  send(message: unknown): void {
    this.#child?.stdin?.write(`${JSON.stringify(message)}\n\n`);
  }

  /** Result or error. */
  async ask(request: LightningdRequest): Promise<unknown> {
    this.#answers.delete(request.id);
    this.send(request);
    await until(`an answer to ${request.id}; ${this.log.join(" | ")}`, () =>
      this.#answers.has(request.id),
    );
    return this.#answers.get(request.id);
  }

  hasAnswer(id: string): boolean {
    return this.#answers.has(id);
  }

  async status(): Promise<z.infer<typeof status>> {
    return status.parse(await this.ask(CLN.status));
  }

  async kill9(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** As lightningd ends a plugin; its exit code. */
  async shutdown(): Promise<number | null> {
    this.send(CLN.shutdown);
    return this.#exited;
  }

  async end(): Promise<void> {
    await this.kill9();
    await new Promise((resolve) => this.#server.close(resolve));
    removeFolder(this.folder);
  }
}
