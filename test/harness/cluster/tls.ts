/**
 * A private certificate authority and leaf certificates for one test run, written as PEM files with
 * mode 0600. Every leaf names localhost and 127.0.0.1 and may act as client and server.
 */
import { createHash, X509Certificate } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { generate } from "selfsigned";

const OWNER_ONLY = 0o600;

export interface Leaf {
  readonly certFile: string;
  readonly keyFile: string;
  /** SHA-256 of the certificate's public key (SPKI), lowercase hex: how services know a caller. */
  readonly spkiSha256: string;
}

export interface Authority {
  readonly caFile: string;
  issue(name: string): Promise<Leaf>;
}

export async function createAuthority(folder: string): Promise<Authority> {
  fs.mkdirSync(folder, { recursive: true });
  const write = (file: string, text: string): string => {
    const full = path.join(folder, file);
    fs.writeFileSync(full, text, { mode: OWNER_ONLY });
    return full;
  };
  const ca = await generate([{ name: "commonName", value: "farwatch test authority" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    caFile: write("ca.pem", ca.cert),
    async issue(name) {
      const leaf = await generate([{ name: "commonName", value: name }], {
        keyType: "ec",
        curve: "P-256",
        algorithm: "sha256",
        ca: { key: ca.private, cert: ca.cert },
        extensions: [
          { name: "basicConstraints", cA: false },
          { name: "keyUsage", digitalSignature: true, critical: true },
          { name: "extKeyUsage", serverAuth: true, clientAuth: true },
          {
            name: "subjectAltName",
            altNames: [
              { type: 2, value: "localhost" },
              { type: 7, ip: "127.0.0.1" },
            ],
          },
        ],
      });
      const spki = new X509Certificate(leaf.cert).publicKey.export({ type: "spki", format: "der" });
      return {
        certFile: write(`${name}.pem`, leaf.cert),
        keyFile: write(`${name}-key.pem`, leaf.private),
        spkiSha256: createHash("sha256").update(spki).digest("hex"),
      };
    },
  };
}
