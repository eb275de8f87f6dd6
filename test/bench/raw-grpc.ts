/**
 * The limits that gRPC sets by itself: messages of the same sizes over the same kind of connection to
 * another process that does nothing with them.
 */
import fs from "node:fs";
import path from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { z } from "zod";
import { must } from "@farwatch/protocol/assert";
import { ServiceProcess } from "../harness/cluster/service-process.js";
import { createAuthority } from "../harness/cluster/tls.js";
import { elapsedMs, perSecond } from "./clock.js";
import { RAW_SERVICE } from "./raw-service.js";

const Listening = z.object({ port: z.number() });
/** Messages before the clock starts. */
const WARM_UP = 20;

export interface Exchanges {
  /** Bytes of a request and of its answer. */
  readonly request: number;
  readonly response: number;
  readonly count: number;
  readonly inFlight: number;
}

/** Request and answer pairs per second on one bidirectional stream. */
export async function rawExchanges(folder: string, sizes: Exchanges): Promise<number> {
  return withServer(folder, { bytes: sizes.response, count: 0 }, async (client) => {
    await exchange(client, { ...sizes, count: WARM_UP });
    return perSecond(sizes.count, await elapsedMs(() => exchange(client, sizes)));
  });
}

/** Messages per second on one server stream. */
export async function rawPour(folder: string, bytes: number, count: number): Promise<number> {
  return withServer(folder, { bytes, count }, async (client) => {
    await pour(client);
    return perSecond(count, await elapsedMs(() => pour(client)));
  });
}

function exchange(client: Client, { request, count, inFlight }: Exchanges): Promise<void> {
  const { path: name, requestSerialize, responseDeserialize } = RAW_SERVICE.exchange;
  const call = client.makeBidiStreamRequest(name, requestSerialize, responseDeserialize);
  const message = Buffer.alloc(request, 0x5a);
  let sent = 0;
  const send = (): void => {
    if (sent === count) return;
    sent++;
    call.write(message);
    if (sent === count) call.end();
  };
  return new Promise((resolve, reject) => {
    call.on("data", send);
    call.on("end", resolve);
    call.on("error", reject);
    for (let lane = 0; lane < inFlight; lane++) send();
  });
}

function pour(client: Client): Promise<void> {
  const { path: name, requestSerialize, responseDeserialize } = RAW_SERVICE.pour;
  const nothing = Buffer.alloc(0);
  const call = client.makeServerStreamRequest(name, requestSerialize, responseDeserialize, nothing);
  return new Promise((resolve, reject) => {
    call.on("data", () => undefined);
    call.on("end", resolve);
    call.on("error", reject);
  });
}

async function withServer(
  folder: string,
  numbers: { readonly bytes: number; readonly count: number },
  measure: (client: Client) => Promise<number>,
): Promise<number> {
  const { caFile, issue } = await createAuthority(path.join(folder, "raw-grpc"));
  const { certFile, keyFile } = await issue("raw");
  const server = new ServiceProcess({
    name: "raw gRPC server",
    script: path.join(import.meta.dirname, "raw-server.js"),
    args: [
      ...["--ca", caFile, "--cert", certFile, "--key", keyFile],
      ...["--bytes", String(numbers.bytes), "--count", String(numbers.count)],
    ],
  });
  await server.start();
  const { port } = Listening.parse(JSON.parse(must(server.log.at(-1), "the line with its port")));
  const [ca, key, cert] = [caFile, keyFile, certFile].map((file) => fs.readFileSync(file));
  const secure = credentials.createSsl(must(ca, "ca"), must(key, "key"), must(cert, "cert"));
  const client = new Client(`localhost:${port}`, secure);
  try {
    return await measure(client);
  } finally {
    client.close();
    await server.stop();
  }
}
