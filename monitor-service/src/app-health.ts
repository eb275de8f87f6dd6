/**
 * Asks a monitor on this host whether it serves, as its container's health check does. The peer must
 * show exactly our own certificate: that is stricter than a host name, and needs none in it. The chain
 * does not count: restarting the monitor would not bring bitcoind back.
 */
import { X509Certificate } from "node:crypto";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import { z } from "zod";
import { must } from "@farwatch/protocol/assert";
import type { TlsMaterial } from "./rpc/credentials.js";

const CHECK = must(service["Check"], "grpc.health.v1.Health/Check");
const Answer = z.object({ status: z.string() });
/** Milliseconds; below the interval of the container's health check. */
const HEALTH_TIMEOUT_MS = 4_000;

export interface HealthQuestion {
  /** The address the monitor listens on, "host:port". */
  readonly listen: string;
  readonly tls: TlsMaterial;
  /** "" for the service as a whole. */
  readonly service: string;
}

/** An address that means "every interface" is reached over loopback. */
export const reachable = (listen: string): string =>
  listen.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");

/** True only for SERVING. Never rejects for a monitor that is down, slow or somebody else. */
export async function isServing({ listen, tls, ...question }: HealthQuestion): Promise<boolean> {
  const own = new X509Certificate(tls.cert).raw;
  const channel = credentials.createSsl(tls.clientCa, tls.key, tls.cert, {
    checkServerIdentity: (_, { raw }) =>
      own.equals(raw) ? undefined : new Error("another certificate than ours"),
  });
  // Only a name to ask for: an IP address may not stand there, and the check above ignores it.
  const options = { "grpc.ssl_target_name_override": "farwatch-monitor" };
  const client = new Client(reachable(listen), channel, options);
  try {
    return await new Promise<boolean>((resolve) => {
      client.makeUnaryRequest(
        CHECK.path,
        CHECK.requestSerialize,
        CHECK.responseDeserialize,
        { service: question.service },
        new Metadata(),
        { deadline: Date.now() + HEALTH_TIMEOUT_MS },
        (error, answer) => {
          const parsed = Answer.safeParse(answer);
          resolve(error === null && parsed.success && parsed.data.status === "SERVING");
        },
      );
    });
  } finally {
    client.close();
  }
}
