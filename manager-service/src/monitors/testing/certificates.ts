/** A certificate authority and leaf certificates in memory, for links and servers of one test run. */
import { generate } from "selfsigned";
import type { LinkTls } from "../link-options.js";

const KIND = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;

export interface TestAuthority {
  issue(name: string): Promise<LinkTls>;
}

export async function createTestAuthority(): Promise<TestAuthority> {
  const ca = await generate([{ name: "commonName", value: "link test authority" }], {
    ...KIND,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    async issue(name) {
      const leaf = await generate([{ name: "commonName", value: name }], {
        ...KIND,
        ca: { key: ca.private, cert: ca.cert },
        extensions: [
          { name: "basicConstraints", cA: false },
          { name: "keyUsage", digitalSignature: true, critical: true },
          { name: "extKeyUsage", serverAuth: true, clientAuth: true },
          { name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] },
        ],
      });
      return {
        ca: Buffer.from(ca.cert),
        cert: Buffer.from(leaf.cert),
        key: Buffer.from(leaf.private),
      };
    },
  };
}
