/**
 * Who calls: the SHA-256 of the public key in the client's certificate (SPKI), looked up among the
 * configured nodes. Nothing a message says counts, and a certificate may be renewed with the same key.
 */
import { createHash, X509Certificate } from "node:crypto";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { NodePrincipal } from "../runtime/manager-host.js";

export interface ConfiguredPrincipal extends NodePrincipal {
  /** Lowercase hex, 32 bytes. */
  readonly spkiSha256: string;
}

export type Principals = ReadonlyMap<string, NodePrincipal>;

export const indexPrincipals = (configured: readonly ConfiguredPrincipal[]): Principals =>
  new Map(
    configured.map(({ spkiSha256, name, nodeKey, admin }) => [
      spkiSha256,
      { name, nodeKey, admin },
    ]),
  );

/** Lowercase hex of the SHA-256 over the DER SubjectPublicKeyInfo. Throws on a malformed certificate. */
export function spkiSha256(certificate: Uint8Array): string {
  const { publicKey } = new X509Certificate(certificate);
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}

type AuthContext = ReturnType<ServerUnaryCall<unknown, unknown>["getAuthContext"]>;

export function principalOf(
  context: AuthContext,
  principals: Principals,
): Result<NodePrincipal, Refusal> {
  const certificate = context.sslPeerCertificate?.raw;
  if (certificate === undefined) {
    return err(refuse("signatureMissing", "a client certificate is required"));
  }
  const spki = spkiSha256(certificate);
  const found = principals.get(spki);
  return found === undefined
    ? err(refuse("notYourChannel", "no node is configured for this certificate", { spki }))
    : ok(found);
}
