/**
 * The other process of the raw gRPC limits, started by raw-grpc.ts with mutual TLS as the monitor has
 * it. Says on standard output which port it got.
 */
import fs from "node:fs";
import { parseArgs } from "node:util";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { must } from "@farwatch/protocol/assert";
import { RAW_SERVICE } from "./raw-service.js";

const text = { type: "string" } as const;
const { values } = parseArgs({
  options: { ca: text, cert: text, key: text, bytes: text, count: text },
});
const file = (name: "ca" | "cert" | "key"): Buffer =>
  fs.readFileSync(must(values[name], `--${name}`));
const answer = Buffer.alloc(Number(values.bytes), 0x5a);
const count = Number(values.count);

const server = new Server();
server.addService(RAW_SERVICE, {
  exchange: (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.on("data", () => call.write(answer));
    call.on("end", () => call.end());
  },
  pour: (call: ServerWritableStream<Buffer, Buffer>) => {
    let left = count;
    const more = (): void => {
      while (left > 0) {
        left--;
        if (!call.write(answer)) return void call.once("drain", more);
      }
      call.end();
    };
    more();
  },
});
const pair = { cert_chain: file("cert"), private_key: file("key") };
const credentials = ServerCredentials.createSsl(file("ca"), [pair], true);
server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
  if (error !== null) throw error;
  console.log(JSON.stringify({ msg: "listening", port }));
});
