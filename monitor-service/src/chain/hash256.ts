/** PURE. Double SHA-256, the hash of blocks, transactions and merkle nodes. */
import { hash } from "node:crypto";

/** Through hex on purpose: twice as fast as asking node:crypto for buffers. */
const sha256 = (bytes: Uint8Array): Buffer => Buffer.from(hash("sha256", bytes, "hex"), "hex");

export const hash256 = (bytes: Uint8Array): Uint8Array => sha256(sha256(bytes));

/** Hash in internal order -> lowercase hex in display order. */
export const displayHex = (internal: Uint8Array): string =>
  Buffer.from(internal).reverse().toString("hex");
