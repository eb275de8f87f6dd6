/** Server reflection over the committed .proto files, so that tools such as grpcurl need no copy. */
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";

/** The proto package's root: dist/gen/manager/v1/manager_service.js stands five levels below. */
const PROTO_ROOT = fileURLToPath(
  new URL("../../../../", import.meta.resolve("@farwatch/protocol/gen/manager/v1/manager_service")),
);

export function reflectionService(): ReflectionService {
  const definition = loadSync(["manager/v1/manager_service.proto"], {
    includeDirs: [PROTO_ROOT],
    keepCase: true,
  });
  return new ReflectionService(definition, {
    services: ["farwatch.manager.v1.ManagerService"],
  });
}
