/** One channel on one connection: where the monitor stands and whether updates may go to it. */
import { genesisHash } from "@farwatch/protocol/envelope/update";
import { parseInitialState } from "@farwatch/protocol/envelope/initial-state";
import { updateId, type ChannelId, type Hash32, type UpdateId } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import { ok, type Result } from "@farwatch/protocol/result";
import type { StoredWatch } from "./monitor-link.js";

/**
 * checking: its head is being compared. paging: updates are read from the store. live: new updates go
 * straight to the pipe. waiting: a passing refusal, compared again later. held: nothing is sent.
 */
export type LaneState = "checking" | "paging" | "live" | "waiting" | "held";

export interface Lane {
  readonly channelId: ChannelId;
  readonly watch: StoredWatch;
  /** Id that the first state's receipt proves: the one before the first update. */
  readonly baseId: UpdateId;
  /** Hash at baseId: what the first update names as its predecessor. */
  readonly baseHash: Hash32;
  state: LaneState;
  /** Id of the next update to hand to the pipe. */
  next: bigint;
  /** An update was offered while a page was being read: read once more before going live. */
  missed: boolean;
  /** Counts the readers of pages: only the newest may go on. */
  reader: number;
  /** Held because the monitor has this id and we do not: compared again when we accepted it. */
  resumeAt: UpdateId | undefined;
  /** Passing refusals in a row. */
  attempts: number;
}

/** Errors: those of a stored watch header that cannot be read. */
export function newLane(watch: StoredWatch): Result<Lane, Refusal> {
  const parsed = parseInitialState(watch.header);
  if (!parsed.ok) return parsed;
  const { chainHash, channelId, funding, payloadSha256, firstUpdateId } = parsed.value;
  const hash = genesisHash({ chainHash, channelId, funding, initialStateSha256: payloadSha256 });
  return ok({
    channelId,
    watch,
    baseId: updateId(firstUpdateId - 1n),
    baseHash: hash,
    state: "checking",
    next: firstUpdateId,
    missed: false,
    reader: 0,
    resumeAt: undefined,
    attempts: 0,
  });
}
