/**
 * Server reflection and the schema behind it, read from proto/ at run time: a client with nothing but
 * this port and a certificate can list and call the RPCs.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { protoPath as healthProtoPath } from "grpc-health-check";

/** Fully qualified, as health checks and reflection name it. */
export const MONITOR_SERVICE = "farwatch.monitor.v1.MonitorService";
const HEALTH_SERVICE = "grpc.health.v1.Health";

/** The folder of the .proto files: proto/, two levels above the compiled protocol package. */
export const protoFolder = (): string =>
  path.resolve(path.dirname(fileURLToPath(import.meta.resolve("@farwatch/protocol/ids"))), "../..");

/** Throws when a .proto file is missing or does not parse. */
export const loadSchema = (): PackageDefinition =>
  loadSync(["monitor/v1/monitor_service.proto", healthProtoPath], {
    includeDirs: [protoFolder()],
    keepCase: true,
    longs: String,
    enums: String,
  });

export const reflectionService = (): ReflectionService =>
  new ReflectionService(loadSchema(), { services: [MONITOR_SERVICE, HEALTH_SERVICE] });
