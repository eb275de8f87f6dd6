/**
 * Where an offered update stands relative to what is stored: contract section 1 ("same id + same hash
 * = answered again; other bytes = conflict") and 2.2. The epoch plays no part in it.
 */
import { updateId, type Hash32, type UpdateId } from "./ids.js";

/** The head of one channel's chain of updates. */
export interface UpdateCursor {
  /** Id of the newest stored update; one below first_update_id when there is none yet. */
  readonly lastId: UpdateId;
  /** Its hash; the genesis hash when there is none yet. */
  readonly lastHash: Hash32;
  /** Hash of a stored update below the head; undefined when it is not known. */
  readonly hashOf?: (id: UpdateId) => Hash32 | undefined;
}

export interface OfferedUpdate {
  readonly id: UpdateId;
  readonly hash: Hash32;
  readonly prevHash: Hash32;
}

export type CursorVerdict =
  | { readonly kind: "next" }
  | { readonly kind: "replay" }
  | { readonly kind: "gap"; readonly expected: UpdateId }
  | { readonly kind: "conflict" };

/**
 * Decides what an offered update is. An old id whose stored hash is unknown is a conflict: only equal
 * bytes may be answered as already durable.
 */
export function placeUpdate(cursor: UpdateCursor, offered: OfferedUpdate): CursorVerdict {
  const { lastId, lastHash } = cursor;
  if (offered.id > lastId) {
    const expected = updateId(lastId + 1n);
    if (offered.id !== expected) return { kind: "gap", expected };
    return offered.prevHash === lastHash ? { kind: "next" } : { kind: "conflict" };
  }
  const stored = offered.id === lastId ? lastHash : cursor.hashOf?.(offered.id);
  return stored === offered.hash ? { kind: "replay" } : { kind: "conflict" };
}
