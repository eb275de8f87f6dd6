/** For tests: an HTTP server on loopback that answers as the test says. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { assert } from "@farwatch/protocol/assert";

export interface LocalHttp {
  readonly url: string;
  close(): Promise<void>;
}

export async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<LocalHttp> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => answer(request, response, Buffer.concat(chunks).toString("utf8")));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert(typeof address === "object" && address !== null, "a listening server");
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The id of a JSON-RPC request. */
export function idOf(body: string): unknown {
  const request: unknown = JSON.parse(body);
  assert(typeof request === "object" && request !== null && "id" in request, "a JSON-RPC request");
  return request.id;
}

/** The method and parameters of a JSON-RPC request. */
export function callOf(body: string): { method: unknown; params: unknown } {
  const request: unknown = JSON.parse(body);
  assert(typeof request === "object" && request !== null && "method" in request, "a request");
  return { method: request.method, params: "params" in request ? request.params : undefined };
}
