/**
 * Takes verified blocks from the chain follower (journey J2). Every channel steps, and one transaction
 * holds all that changed together with the new tip: a crash repeats the whole block or none of it. A
 * channel that breaks an invariant is halted and the others go on.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import type { ChainSink } from "../chain/follower.js";
import { HEADER_RING_SIZE, pointOf } from "../chain/follow-chain.js";
import { scanBlock, type Match } from "../chain/scan-block.js";
import type { VerifiedBlock } from "../chain/verify-block.js";
import { FLOOR_FEERATES } from "../monitor/constants.js";
import type { Feerates } from "../monitor/input.js";
import { parseTx, type ParsedTx } from "../tx/parsed-tx.js";
import { applyInput } from "./apply-input.js";
import { archiveWhenDue, tellIfReappeared } from "./archive-when-due.js";
import type { Core } from "./core.js";
import type { Draft } from "./draft.js";
import { causeOf } from "./error-cause.js";
import { haltChannel } from "./halt.js";
import type { ChannelEntry } from "./monitors.js";
import {
  connectPenaltyEntry,
  disconnectPenaltyEntry,
  penaltyFindings,
} from "./penalty/penalty-blocks.js";
import { runStep } from "./run-step.js";
import { storedCommitments, type StoredCommitments } from "./stored-commitments.js";

/** What a block says to one channel. */
interface Relevant {
  readonly transactions: readonly ParsedTx[];
  readonly stored: StoredCommitments;
}
const NOTHING: Relevant = { transactions: [], stored: new Map() };

export const createChainSink = (core: Core): ChainSink => ({
  tipRing: () => core.headers,
  connected: (block) => connected(core, block),
  disconnected: (forkPoint) => disconnected(core, forkPoint),
  synced: () => {
    core.publisher.offerAgain(core.monitors.all());
    core.sweeper?.request();
  },
});

async function connected(core: Core, block: VerifiedBlock): Promise<void> {
  const matches = scanBlock(block.raw, core.monitors.watch, block.txids);
  const relevant = await gather(core, matches);
  const penalties = await penaltyFindings(core, block, matches);
  const feerates = await currentFeerates(core);
  await runStep(core, (draft) => {
    const { header } = block;
    const point = pointOf(header);
    for (const entry of core.monitors.all()) {
      if (entry.kind === "penaltyOnly") {
        connectPenaltyEntry(core, draft, entry, point, penalties);
        continue;
      }
      connectOne(core, draft, entry, point, relevant.get(entry) ?? NOTHING, feerates);
      archiveWhenDue(core, draft, entry);
    }
    core.headers = [header, ...core.headers].slice(0, HEADER_RING_SIZE);
    const { height, hash, raw } = header;
    draft.write({ op: "putHeader", row: { height, hash, raw } });
    draft.write({ op: "deleteHeadersBelow", height: height - HEADER_RING_SIZE + 1 });
    core.publisher.newBlock();
  });
  publishHalted(core);
  core.sweeper?.request();
}

function connectOne(
  core: Core,
  draft: Draft,
  entry: ChannelEntry,
  block: BlockPoint,
  { transactions, stored }: Relevant,
  feerates: Feerates,
): void {
  if (entry.halt?.scope === "all") return;
  const input = {
    kind: "blockConnected" as const,
    block,
    transactions,
    storedCommitments: stored,
    feerates,
  };
  const applied = applyInput(core, draft, entry, input, undefined);
  if (applied.ok) alarmUnknownSpend(core, entry, applied.value.events);
  else if (applied.error.reason !== "channelHalted") {
    haltChannel(core, draft, entry, "all", new Error("a block was refused"));
  }
}

/** Only our plain output of it can be taken: HTLCs in it are lost unless an update still names it. */
function alarmUnknownSpend(
  core: Core,
  { channelId }: ChannelEntry,
  events: readonly NewMonitorEvent[],
): void {
  for (const { body } of events) {
    if (body.kind !== "commitmentTxConfirmed" || body.spend !== "unknown") continue;
    const { txid, commitmentNumber } = body;
    const facts = { channelId, txid, commitmentNumber };
    core.deps.log.error(facts, "a commitment confirmed that no update has named: state is missing");
  }
}

async function disconnected(core: Core, forkPoint: BlockPoint): Promise<void> {
  await runStep(core, (draft) => {
    for (const entry of core.monitors.all()) {
      if (entry.kind === "penaltyOnly") {
        disconnectPenaltyEntry(core, draft, entry, forkPoint);
        continue;
      }
      if (entry.halt?.scope === "all") continue;
      const input = { kind: "blocksDisconnected" as const, forkPoint };
      const before = entry.state;
      const applied = applyInput(core, draft, entry, input, undefined);
      tellIfReappeared(core, entry, before);
      if (!applied.ok && applied.error.reason !== "channelHalted") {
        haltChannel(core, draft, entry, "all", new Error("a disconnection was refused"));
      }
    }
    core.headers = core.headers.filter(({ height }) => height <= forkPoint.height);
    draft.write({ op: "deleteHeadersAbove", height: forkPoint.height });
    core.publisher.newBlock();
  });
  publishHalted(core);
}

/** A halted channel takes no step, but what it had outstanding stays worth sending. */
function publishHalted(core: Core): void {
  for (const entry of core.monitors.all()) {
    if (entry.halt?.scope === "all") core.publisher.request(entry);
  }
}

/** Fees are a hint: without them claims start at the floor and rise at the next blocks. */
async function currentFeerates(core: Core): Promise<Feerates> {
  try {
    return await core.deps.source.feerates();
  } catch (error) {
    core.deps.log.warn({ cause: causeOf(error) }, "no feerates: the floor is used");
    return FLOOR_FEERATES;
  }
}

async function gather(
  core: Core,
  matches: readonly Match[],
): Promise<ReadonlyMap<ChannelEntry, Relevant>> {
  const byEntry = new Map<ChannelEntry, ParsedTx[]>();
  for (const { raw, owners } of matches) {
    const tx = parseTx(raw);
    for (const owner of owners) {
      const entry = core.monitors.byNo(owner);
      if (entry?.kind !== "full") continue; // see penalty-blocks.ts
      const list = byEntry.get(entry) ?? [];
      list.push(tx);
      byEntry.set(entry, list);
    }
  }
  const relevant = new Map<ChannelEntry, Relevant>();
  for (const [entry, transactions] of byEntry) {
    const stored = await storedCommitments(core, entry, transactions);
    relevant.set(entry, { transactions, stored });
  }
  return relevant;
}
