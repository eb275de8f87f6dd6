/**
 * Files that hold secrets: read only when nobody else may read them, replaced as a whole or not at all.
 * Errors name the cause, never the content.
 */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import path from "node:path";

const OTHERS = 0o077;
/** systemd shows a credential's access list as the group's bits; group and others may not write it. */
const OTHERS_OF_CREDENTIAL = 0o037;
const OWNER_ONLY = 0o600;

export class SecretFileError extends Error {
  override readonly name: string = "SecretFileError";
}

export interface SecretFileLimits {
  /** A longer file is refused without being read to its end. */
  readonly maxBytes: number;
  /** Where systemd puts credentials ($CREDENTIALS_DIRECTORY). */
  readonly credentials?: string | undefined;
}

/** Throws SecretFileError, or Node's own error when the file cannot be opened. */
export function readSecretFile(file: string, limits: SecretFileLimits): Uint8Array {
  const handle = openSync(file, "r");
  try {
    const { credentials, maxBytes } = limits;
    const isCredential = credentials !== undefined && path.dirname(file) === credentials;
    if ((fstatSync(handle).mode & (isCredential ? OTHERS_OF_CREDENTIAL : OTHERS)) !== 0) {
      throw new SecretFileError("group or others have access; want mode 0600 or 0400");
    }
    return readAtMost(handle, maxBytes);
  } finally {
    closeSync(handle);
  }
}

/** For what comes through a pipe, where no mode protects anything. */
export const readSecretPipe = (handle: number, maxBytes: number): Uint8Array =>
  readAtMost(handle, maxBytes);

function readAtMost(handle: number, maxBytes: number): Uint8Array {
  const buffer = new Uint8Array(maxBytes + 1);
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(handle, buffer, length, buffer.length - length, null);
    }
    if (length > maxBytes) throw new SecretFileError(`longer than ${maxBytes} bytes`);
    return buffer.slice(0, length);
  } finally {
    buffer.fill(0);
  }
}

/** Durable when it returns. Throws SecretFileError when another process is replacing the same file. */
export function replaceSecretFile(file: string, content: Uint8Array): void {
  const next = `${file}.new`;
  let handle: number;
  try {
    handle = openSync(next, "wx", OWNER_ONLY);
  } catch (cause) {
    const why = `${next} exists: another change is under way, or was interrupted and can be removed`;
    throw new SecretFileError(why, { cause });
  }
  try {
    writeSync(handle, content);
    fsyncSync(handle);
    renameSync(next, file);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
  const folder = openSync(path.dirname(file), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
