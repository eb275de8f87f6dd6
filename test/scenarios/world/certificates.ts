/** The certificates that processes of the world show each other, made once for all worlds. */
import { X509Certificate } from "node:crypto";
import { generate } from "selfsigned";
import { spkiSha256 } from "@farwatch/monitor-service/auth/principal";

export interface Certificate {
  /** DER. */
  readonly raw: Buffer;
  readonly spkiSha256: string;
}

export interface Certificates {
  readonly node: Certificate;
  readonly manager: Certificate;
}

let made: Promise<Certificates> | undefined;

export const certificates = (): Promise<Certificates> => (made ??= make());

async function make(): Promise<Certificates> {
  return { node: await issue("node"), manager: await issue("manager") };
}

async function issue(name: string): Promise<Certificate> {
  const options = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;
  const { cert } = await generate([{ name: "commonName", value: name }], options);
  const { raw } = new X509Certificate(cert);
  return { raw, spkiSha256: spkiSha256(raw) };
}
