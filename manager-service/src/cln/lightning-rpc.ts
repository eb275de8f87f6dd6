/** One question to lightningd's own JSON-RPC, over its Unix socket. */
import { createConnection } from "node:net";
import { z } from "zod";
import { fromHex } from "@farwatch/protocol/bytes";
import { JsonStream } from "./json-stream.js";

/** Ms. lightningd answers getinfo at once unless it is starting or stopping. */
const TIMEOUT_MS = 10_000;

const info = z.object({ result: z.object({ id: z.string().regex(/^0[23][0-9a-f]{64}$/) }) });

/** 33 bytes. Throws when lightningd does not say. */
export async function askNodeId(socketPath: string): Promise<Uint8Array> {
  const socket = createConnection(socketPath);
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("lightningd does not answer")));
  try {
    socket.write(
      JSON.stringify({ jsonrpc: "2.0", id: "farwatch:getinfo#1", method: "getinfo", params: {} }),
    );
    const stream = new JsonStream();
    const chunks: AsyncIterable<Buffer> = socket;
    for await (const chunk of chunks) {
      const [answer] = stream.push(chunk);
      if (answer !== undefined) return fromHex(info.parse(answer).result.id);
    }
    throw new Error("lightningd closed the connection");
  } finally {
    socket.destroy();
  }
}
