/**
 * Certificates and keys from files, checked before anything starts: a damaged file or a key of another
 * certificate would otherwise show as an unexplained handshake failure much later.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import fs from "node:fs";
import { ConfigError } from "./config-error.js";
import type { TlsFiles } from "./config.js";

/** PEM contents. */
export interface TlsContents {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Throws ConfigError under `place`, for example "tls" or "monitors.a". */
export function readTls(files: TlsFiles, place: string): TlsContents {
  const ca = read(files.ca, `${place}.ca`);
  const cert = read(files.cert, `${place}.cert`);
  const key = read(files.key, `${place}.key`);
  certificate(ca, files.ca, `${place}.ca`);
  const own = certificate(cert, files.cert, `${place}.cert`);
  if (!belongs(own, key)) {
    throw new ConfigError(`${place}.key`, `${files.key} is not the private key of ${files.cert}`);
  }
  return { ca, cert, key };
}

function read(file: string, key: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch (cause) {
    throw new ConfigError(key, `cannot read ${file}`, { cause });
  }
}

function certificate(pem: Buffer, file: string, key: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new ConfigError(key, `${file} is not a PEM certificate`, { cause });
  }
}

function belongs(own: X509Certificate, key: Buffer): boolean {
  try {
    return own.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false; // not a private key at all
  }
}
