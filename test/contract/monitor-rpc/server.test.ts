/** The RPC server itself: health, reflection, and a client that knows only the .proto files. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { Client, loadPackageDefinition, type ServiceError } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { CHAIN_HEALTH, type RpcServer } from "@farwatch/monitor-service/rpc/server";
import { loadSchema, MONITOR_SERVICE } from "@farwatch/monitor-service/rpc/reflection";
import { MAX_UPDATES_IN_FLIGHT } from "@farwatch/monitor-service/runtime/limits";
import { sat } from "@farwatch/protocol/amount";
import { blockHash, blockHeight } from "@farwatch/protocol/block";
import { monitorKey, storeId } from "@farwatch/protocol/ids";
import { z } from "zod";
import { Bench, call, createCertificates, type Certificates } from "./bench.js";

const INFO = {
  monitorKey: monitorKey("44".repeat(32)),
  storeId: storeId("55".repeat(16)),
  storeGen: 3n,
  curveBackend: "noble",
  chainHash: "66".repeat(32),
  tip: { height: blockHeight(101), hash: blockHash(`${"00".repeat(31)}77`) },
  chainState: "synced" as const,
  channels: 2,
  zeroFeeChannels: 0,
  archivedChannels: 4,
  features: [],
  pendingEvents: 1,
  oldestPendingEventAtMs: 1_700_000_000_000,
  feeReserveSat: sat(123_456n),
};

/** A generated-at-run-time client, as grpc's own loader builds it. */
const DynamicMethod = z.custom<(request: unknown, done: Done) => void>(
  (value) => typeof value === "function",
);
type Done = (error: ServiceError | null, value: unknown) => void;
const Status = z.object({ status: z.string() });

describe("MonitorService, server", () => {
  let certificates: Certificates;
  let bench: Bench;
  let server: RpcServer;
  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates.remove());
  beforeEach(async () => {
    bench = new Bench(certificates);
    server = await bench.serve({ info: () => INFO });
  });
  afterEach(() => bench.close());

  /** Calls one unary method of a service known only by its schema. */
  function dynamic(schema: PackageDefinition, service: string, method: string, request: unknown) {
    const [name = "", ...packages] = service.split(".").reverse();
    let at: unknown = loadPackageDefinition(schema);
    for (const part of packages.reverse()) at = z.record(z.string(), z.unknown()).parse(at)[part];
    const made: unknown = Reflect.construct(
      z.custom<new () => object>().parse(z.record(z.string(), z.unknown()).parse(at)[name]),
      [`localhost:${server.port}`, bench.channelCredentials()],
    );
    const client = z.instanceof(Client).parse(made);
    bench.onClose(() => client.close());
    const run = DynamicMethod.parse(Reflect.get(client, method));
    return call<unknown>((done) => run.call(client, request, done));
  }

  const health = async (service: string): Promise<string> =>
    Status.parse(await dynamic(loadSchema(), "grpc.health.v1.Health", "check", { service })).status;

  it("tells health of the service and of its chain apart", async () => {
    assert.equal(await health(""), "NOT_SERVING");
    server.setHealth(true, false);
    assert.equal(await health(""), "SERVING");
    assert.equal(await health(MONITOR_SERVICE), "SERVING");
    assert.equal(await health(CHAIN_HEALTH), "NOT_SERVING");
    server.setHealth(true, true);
    assert.equal(await health(CHAIN_HEALTH), "SERVING");
    await assert.rejects(health("farwatch.other"), /NOT_FOUND/);
  });

  it("answers a client that was built from the .proto files at run time", async () => {
    const info = z
      .object({
        version: z.string(),
        monitor_key: z.instanceof(Buffer),
        store_gen: z.string(),
        limits: z.object({ max_updates_in_flight: z.number() }),
        supported_steps: z.array(z.string()),
        supported_channel_types: z.array(z.string()),
        tip: z.object({ height: z.number(), block_hash: z.instanceof(Buffer) }),
        chain_state: z.string(),
        package_relay: z.string(),
        fee_reserve_sat: z.string(),
      })
      .parse(await dynamic(loadSchema(), MONITOR_SERVICE, "GetInfo", {}));
    assert.equal(info.version, "0.0.0-test");
    assert.equal(info.monitor_key.toString("hex"), INFO.monitorKey);
    assert.equal(info.store_gen, "3");
    assert.equal(info.limits.max_updates_in_flight, MAX_UPDATES_IN_FLIGHT);
    assert.ok(info.supported_steps.includes("commitmentSecret"));
    assert.deepEqual(info.supported_channel_types, [
      "CHANNEL_TYPE_STATIC_REMOTE_KEY",
      "CHANNEL_TYPE_ANCHORS_ZERO_FEE_HTLC",
      "CHANNEL_TYPE_ZERO_FEE_COMMITMENTS",
    ]);
    assert.equal(info.tip.height, 101);
    assert.equal(info.tip.block_hash[0], 0x77, "internal byte order");
    assert.equal(info.chain_state, "synced");
    assert.equal(info.package_relay, "refused");
    assert.equal(info.fee_reserve_sat, "123456");
  });

  it("tells the wallet's coins only while they are known", async () => {
    const info = async () =>
      z
        .object({ wallet_confirmed_sat: z.string().optional() })
        .parse(await dynamic(loadSchema(), MONITOR_SERVICE, "GetInfo", {})).wallet_confirmed_sat;
    assert.equal(await info(), undefined, "not 0");
    await bench.close();
    for (const known of [0n, 7_890n]) {
      server = await bench.serve({ info: () => INFO }, { walletConfirmedSat: () => sat(known) });
      assert.equal(await info(), String(known));
      await bench.close();
    }
  });

  it("lists its services by reflection", async () => {
    const folder = path.dirname(createRequire(import.meta.url).resolve("@grpc/reflection"));
    const schema = loadSync("grpc/reflection/v1/reflection.proto", {
      includeDirs: [path.join(folder, "../proto")],
      defaults: true,
      oneofs: true,
    });
    const answers = await reflect(schema, [
      { list_services: "" },
      { file_containing_symbol: MONITOR_SERVICE },
    ]);
    const names = answers[0]?.listServicesResponse?.service.map(({ name }) => name).sort();
    assert.deepEqual(names, [MONITOR_SERVICE, "grpc.health.v1.Health"]);
    const files = answers[1]?.fileDescriptorResponse?.fileDescriptorProto ?? [];
    assert.ok(
      files.some((file) => file.includes("MonitorService") && file.includes("UpdateChannel")),
    );
  });

  const Reflected = z.object({
    listServicesResponse: z.object({ service: z.array(z.object({ name: z.string() })) }).nullish(),
    fileDescriptorResponse: z
      .object({ fileDescriptorProto: z.array(z.instanceof(Buffer)) })
      .nullish(),
  });

  function reflect(schema: PackageDefinition, requests: readonly object[]) {
    const service = z
      .record(z.string(), z.custom<ReflectionMethod>())
      .parse(schema["grpc.reflection.v1.ServerReflection"]);
    const method = z.custom<ReflectionMethod>().parse(service["ServerReflectionInfo"]);
    const client = new Client(`localhost:${server.port}`, bench.channelCredentials());
    bench.onClose(() => client.close());
    const stream = client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
    );
    return new Promise<z.infer<typeof Reflected>[]>((resolve, reject) => {
      const answers: z.infer<typeof Reflected>[] = [];
      stream.on("data", (answer: unknown) => answers.push(Reflected.parse(answer)));
      stream.on("end", () => resolve(answers));
      stream.on("error", reject);
      for (const request of requests) stream.write(camelCased(request));
      stream.end();
    });
  }
});

interface ReflectionMethod {
  readonly path: string;
  requestSerialize(value: object): Buffer;
  responseDeserialize(bytes: Buffer): unknown;
}

const camelCased = (request: object): object =>
  Object.fromEntries(
    Object.entries(request).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
