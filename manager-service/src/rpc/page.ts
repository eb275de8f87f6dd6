/** Pages of a list: the token is the 32-byte id of the last entry seen; an empty token ends the list. */
import { fixedHex } from "@farwatch/protocol/convert/reader";
import { MAX_PAGE_SIZE } from "./limits.js";

const NO_TOKEN = Buffer.alloc(0);

export interface PageRequest {
  /** 0: as many as allowed. */
  readonly pageSize: number;
  readonly pageToken: Uint8Array;
}

/** Entries per page, between 1 and MAX_PAGE_SIZE. */
export const pageLimit = ({ pageSize }: PageRequest): number =>
  pageSize === 0 ? MAX_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);

/** Lowercase hex of the id after which the page starts. Throws WireError unless it is 32 bytes. */
export const pageStart = ({ pageToken }: PageRequest): string | undefined =>
  pageToken.length === 0 ? undefined : fixedHex(pageToken, 32, "page_token");

/** A full page may be the last one; the page after it is then empty. */
export function nextToken<T>(
  entries: readonly T[],
  limit: number,
  id: (entry: T) => Buffer,
): Buffer {
  const last = entries.at(-1);
  return last === undefined || entries.length < limit ? NO_TOKEN : id(last);
}
