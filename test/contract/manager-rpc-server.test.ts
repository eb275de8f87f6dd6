/** ManagerService's server: health, reflection, and an orderly stop. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Client, Metadata } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { z } from "zod";
import { isServing, reachable } from "@farwatch/manager-service/rpc/health-check";
import { SERVICE_NAME, type RpcServer } from "@farwatch/manager-service/rpc/server";
import {
  Bench,
  createCertificates,
  failureOf,
  sessionMetadata,
  until,
  type Certificates,
} from "./manager-rpc-bench.js";

const Reflected = z.object({
  listServicesResponse: z.object({ service: z.array(z.object({ name: z.string() })) }).optional(),
  fileDescriptorResponse: z
    .object({ fileDescriptorProto: z.array(z.instanceof(Buffer)) })
    .optional(),
});

describe("ManagerService, server", () => {
  let certificates: Certificates;
  let bench: Bench;
  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(() => {
    bench = new Bench(certificates);
  });
  afterEach(() => bench.close());

  const healthOf = (server: RpcServer, service: string, leaf = certificates.server) =>
    isServing({
      listen: `0.0.0.0:${server.port}`,
      tls: {
        ca: fs.readFileSync(certificates.authority.caFile),
        cert: fs.readFileSync(leaf.certFile),
        key: fs.readFileSync(leaf.keyFile),
      },
      service,
      timeoutMs: 2_000,
    });

  it("serves health for itself and the service, to a holder of the same certificate", async () => {
    const server = await bench.serve({});
    assert.equal(await healthOf(server, ""), true);
    assert.equal(await healthOf(server, SERVICE_NAME), true);
    assert.equal(await healthOf(server, "farwatch.other.Service"), false);
    assert.equal(
      await healthOf(server, "", certificates.node),
      false,
      "not the peer's certificate",
    );
    await server.stop();
    assert.equal(await healthOf(server, ""), false);
  });

  it("reaches an address that means every interface over loopback", () => {
    assert.equal(reachable("0.0.0.0:9913"), "127.0.0.1:9913");
    assert.equal(reachable("[::]:9913"), "[::1]:9913");
    assert.equal(reachable("10.0.0.0:9913"), "10.0.0.0:9913");
  });

  it("describes itself by reflection", async () => {
    const server = await bench.serve({});
    const root = path.dirname(createRequire(import.meta.url).resolve("@grpc/reflection"));
    const definition = loadSync("grpc/reflection/v1/reflection.proto", {
      includeDirs: [path.join(root, "../proto")],
    });
    const service = z
      .object({ ServerReflectionInfo: z.custom<Parameters<typeof methodOf>[0]>() })
      .parse(definition["grpc.reflection.v1.ServerReflection"]);
    const method = methodOf(service.ServerReflectionInfo);
    const client = new Client(`localhost:${server.port}`, bench.channelCredentials());
    const stream = client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      new Metadata(),
    );
    const answers: z.output<typeof Reflected>[] = [];
    stream.on("data", (answer) => answers.push(Reflected.parse(answer)));
    stream.write({ listServices: "" });
    stream.write({ fileContainingSymbol: SERVICE_NAME });
    await until(() => answers.length === 2, "two answers");
    stream.end();
    client.close();
    const names = answers[0]?.listServicesResponse?.service.map(({ name }) => name);
    assert.deepEqual(names, [SERVICE_NAME]);
    const files = answers[1]?.fileDescriptorResponse?.fileDescriptorProto ?? [];
    assert.ok(files.some((file) => file.includes("OpenNodeSession")));
  });

  it("ends streams with `stopping` and closes the port within the grace", async () => {
    let opened = 0;
    let closed = 0;
    const open = () => {
      opened += 1;
      return { close: () => void closed++ };
    };
    const server = await bench.serve({
      updateStream: open,
      subscribe: open,
    });
    const client = bench.client(server);
    const errors: unknown[] = [];
    const updates = client.updateChannel(sessionMetadata());
    const items = client.subscribe({}, sessionMetadata());
    for (const stream of [updates, items]) {
      stream.on("data", () => undefined);
      stream.on("error", (error) => errors.push(error));
    }
    await until(() => opened === 2, "both streams are open");
    const from = Date.now();
    await server.stop();
    assert.ok(Date.now() - from < 2_000);
    await until(() => errors.length === 2, "both streams end");
    for (const error of errors) assert.equal(failureOf(error).refusal?.reason, "stopping");
    assert.equal(closed, 2);
  });
});

interface BidiMethod {
  readonly path: string;
  readonly requestSerialize: (value: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => object;
}
const methodOf = (method: BidiMethod): BidiMethod => method;
