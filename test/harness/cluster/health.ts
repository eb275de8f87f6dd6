/** grpc.health.v1 asked as any orchestrator would, with a schema read at run time. */
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { z } from "zod";

const folder = path.dirname(
  createRequire(import.meta.url).resolve("grpc-health-check/package.json"),
);
const definition = loadSync(path.join(folder, "proto/health/v1/health.proto"), { enums: String });

export interface HealthTarget {
  readonly address: string;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** "SERVING", "NOT_SERVING", or the name of the error. */
export async function healthOf({ address, tls }: HealthTarget, service: string): Promise<string> {
  const loaded: Record<string, unknown> = loadPackageDefinition(definition);
  const HealthClient = healthConstructor(loaded);
  const client = new HealthClient(
    address,
    credentials.createSsl(
      fs.readFileSync(tls.ca),
      fs.readFileSync(tls.key),
      fs.readFileSync(tls.cert),
    ),
  );
  try {
    return await new Promise((resolve) => {
      client.Check({ service }, (error, answer) => {
        resolve(
          error === null ? z.object({ status: z.string() }).parse(answer).status : error.message,
        );
      });
    });
  } finally {
    client.close();
  }
}

interface HealthClient {
  Check(request: unknown, done: (error: Error | null, answer: unknown) => void): unknown;
  close(): void;
}
type HealthConstructor = new (address: string, credentials: unknown) => HealthClient;

/** grpc.health.v1.Health in what proto-loader gives: an untyped tree. */
function healthConstructor(loaded: unknown): HealthConstructor {
  let node: unknown = loaded;
  for (const name of ["grpc", "health", "v1", "Health"]) {
    node = (node as Readonly<Record<string, unknown>>)[name];
  }
  return node as HealthConstructor;
}
