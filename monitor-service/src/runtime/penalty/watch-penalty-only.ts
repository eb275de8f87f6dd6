/**
 * WatchChannel for a penalty-only channel. It starts at our tip: nothing is looked for before its first
 * penalty, and what is in the chain by then is looked up.
 */
import type { PenaltyOnlyChannel } from "@farwatch/protocol/channel";
import { penaltyOnlyFunding } from "@farwatch/protocol/convert/penalty-only";
import type { InitialStateHeader } from "@farwatch/protocol/envelope/initial-state";
import { outpointKey, type Hash32 } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { createPenaltyOnly } from "../../monitor/penalty/create.js";
import { genesisOf } from "../build-monitor.js";
import { nextRow, tipOf, type Core } from "../core.js";
import type { Draft } from "../draft.js";
import type { Principal, WatchRequest } from "../monitor-host.js";
import type { PenaltyEntry } from "../monitors.js";

/** Errors: malformed. */
export function checkPenaltyNames(
  header: InitialStateHeader,
  { channelId, chainHash }: PenaltyOnlyChannel,
): Refusal | undefined {
  const same =
    channelId === header.channelId &&
    chainHash === header.chainHash &&
    outpointKey(penaltyOnlyFunding(channelId)) === outpointKey(header.funding);
  const details = { field: "penalty_only" };
  return same
    ? undefined
    : refuse("malformed", "header and payload name different channels", details);
}

export interface PenaltyWatch {
  readonly header: InitialStateHeader;
  /** Of the watch header. */
  readonly hash: Hash32;
  readonly request: WatchRequest;
}

export function startPenaltyOnly(
  core: Core,
  draft: Draft,
  { managerKey }: Principal,
  { header, hash: watchHash, request }: PenaltyWatch,
  channel: PenaltyOnlyChannel,
): PenaltyEntry {
  const { channelId } = header;
  const channelNo = nextRow(core, "channel");
  const state = createPenaltyOnly(channel, { ...genesisOf(header), best: tipOf(core) });
  const entry: PenaltyEntry = {
    kind: "penaltyOnly",
    channelNo,
    channelId,
    managerKey,
    watchHash,
    state,
    durable: state,
    headRowId: 0,
    rowsSinceSnapshot: 0,
    lastEventHash: undefined,
    pending: new Map(),
    halt: undefined,
  };
  const row = { channelNo, channelId, managerKey, watchHash };
  const { header: bytes, payload } = request;
  draft.write({ op: "insertChannel", row: { ...row, header: bytes, payload } });
  core.monitors.add(entry);
  draft.touch(entry);
  draft.snapshot(entry);
  return entry;
}
