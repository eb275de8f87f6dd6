/**
 * The plugin's side of JSON-RPC 2.0 with lightningd (doc/developers-guide/plugin-development): requests and
 * notifications in, answers and log lines out. Nothing else may ever be written to stdout.
 */
import type { Readable, Writable } from "node:stream";
import { z } from "zod";
import { JsonStream } from "./json-stream.js";

/** lightningd's own names. */
export type LogLevel = "debug" | "info" | "unusual" | "broken";

const message = z.object({
  method: z.string(),
  params: z.unknown().optional(),
  /** A number before lightningd 22.11, a string since. Absent: a notification. */
  id: z.union([z.string(), z.number()]).optional(),
});
export type RpcMessage = z.infer<typeof message>;

export class PluginIo {
  readonly #in: Readable;
  readonly #out: Writable;

  constructor(input: Readable, output: Writable) {
    this.#in = input;
    this.#out = output;
  }

  /** Until lightningd closes the stream. Throws JsonStreamBroken. */
  async *messages(): AsyncIterable<RpcMessage> {
    const stream = new JsonStream();
    const chunks: AsyncIterable<Buffer> = this.#in;
    for await (const chunk of chunks) {
      for (const received of stream.push(chunk)) {
        const read = message.safeParse(received);
        if (read.success) yield read.data;
      }
    }
  }

  answer(id: string | number, result: unknown): void {
    this.#write({ jsonrpc: "2.0", id, result });
  }

  /** Not for hooks: lightningd ends itself when one is answered with an error (plugin_hook.c). */
  fail(id: string | number, text: string): void {
    this.#write({ jsonrpc: "2.0", id, error: { code: INTERNAL_ERROR, message: text } });
  }

  log(level: LogLevel, text: string): void {
    this.#write({ jsonrpc: "2.0", method: "log", params: { level, message: text } });
  }

  #write(value: unknown): void {
    this.#out.write(`${JSON.stringify(value)}\n\n`);
  }
}

/** JSON-RPC 2.0. */
const INTERNAL_ERROR = -32603;
