/** The passphrase of sealed files: the first line of a file that only this service may read. */
import { readSecretFile, SecretFileError } from "./secret-file.js";

const MAX_PASSPHRASE_BYTES = 1024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The caller wipes it. Throws SecretFileError, or Node's own error when it cannot be opened. */
export function readPassphrase(file: string, credentials: string | undefined): Uint8Array {
  const content = readSecretFile(file, { maxBytes: MAX_PASSPHRASE_BYTES, credentials });
  try {
    const feed = content.indexOf(LINE_FEED);
    const line = feed === -1 ? content.length : feed;
    const end = content[line - 1] === CARRIAGE_RETURN ? line - 1 : line;
    if (end === 0) throw new SecretFileError("the first line is empty");
    return content.slice(0, end);
  } finally {
    content.fill(0);
  }
}
