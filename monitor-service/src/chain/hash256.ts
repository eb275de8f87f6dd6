/** PURE. Double SHA-256, the hash of blocks, transactions and merkle nodes. */
import { hash } from "node:crypto";

export const hash256 = (bytes: Uint8Array): Uint8Array =>
  hash("sha256", hash("sha256", bytes, "buffer"), "buffer");

/** Hash in internal order -> lowercase hex in display order. */
export const displayHex = (internal: Uint8Array): string =>
  Buffer.from(internal).reverse().toString("hex");
