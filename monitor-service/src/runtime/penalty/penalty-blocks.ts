/**
 * What a block says to penalty-only channels: which of its transactions are commitments that a stored penalty
 * punishes, and who spends their outputs. Reads only; the step decides.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import type { Txid } from "@farwatch/protocol/ids";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";
import { commitmentShaped } from "../../chain/commitment-shape.js";
import { OutpointIndex, TxidIndex } from "../../chain/outpoint-index.js";
import { scanBlock, type Match, type Watch } from "../../chain/scan-block.js";
import type { VerifiedBlock } from "../../chain/verify-block.js";
import { mayBeOver, penaltyArchivalOf } from "../../monitor/penalty/archival.js";
import { MAX_PENALTIES_PER_COMMITMENT } from "../../monitor/penalty/check-penalty.js";
import { parseTx, type ParsedTx } from "../../tx/parsed-tx.js";
import { moveToArchive } from "../archive-when-due.js";
import type { Core } from "../core.js";
import type { Draft } from "../draft.js";
import { haltChannel } from "../halt.js";
import type { PenaltyEntry } from "../monitors.js";
import { applyPenaltyInput } from "./apply-penalty-input.js";
import { penaltiesIn } from "./penalty-steps.js";

export interface PenaltyFindings {
  /** The newest update first. */
  readonly found: readonly PenaltyTransactionStep[];
  readonly transactions: readonly ParsedTx[];
}
export type PenaltyBlock = ReadonlyMap<PenaltyEntry, PenaltyFindings>;
const NOTHING: PenaltyFindings = { found: [], transactions: [] };
const ANY_SEED = 0;

/** `matches`: of the outputs that are watched already. */
export async function penaltyFindings(
  core: Core,
  block: VerifiedBlock,
  matches: readonly Match[],
): Promise<PenaltyBlock> {
  const found = await commitmentsIn(core, block);
  const raws = rawsByEntry(core, [...matches, ...childrenOf(block, found)]);
  const findings = new Map<PenaltyEntry, PenaltyFindings>();
  for (const entry of new Set([...found.keys(), ...raws.keys()])) {
    findings.set(entry, {
      found: found.get(entry) ?? [],
      transactions: [...(raws.get(entry)?.values() ?? [])].map(parseTx),
    });
  }
  return findings;
}

async function commitmentsIn(
  core: Core,
  { raw, txids }: VerifiedBlock,
): Promise<ReadonlyMap<PenaltyEntry, readonly PenaltyTransactionStep[]>> {
  const found = new Map<PenaltyEntry, PenaltyTransactionStep[]>();
  const [any] = core.monitors.penaltyOnly();
  const shaped: ReadonlySet<Txid> = new Set(any === undefined ? [] : commitmentShaped(raw, txids));
  if (shaped.size === 0) return found;
  for (const row of await core.deps.store.findPenalties(
    [...shaped],
    MAX_PENALTIES_PER_COMMITMENT,
  )) {
    const entry = core.monitors.byNo(row.channelNo);
    if (entry?.kind !== "penaltyOnly") continue;
    const steps = penaltiesIn(core, row).filter(({ commitmentTxid }) => shaped.has(commitmentTxid));
    found.set(entry, [...(found.get(entry) ?? []), ...steps]);
  }
  return found;
}

/** Of commitments in the same block; others are watched by their outputs. */
function childrenOf(
  { raw, txids }: VerifiedBlock,
  found: ReadonlyMap<PenaltyEntry, readonly PenaltyTransactionStep[]>,
): readonly Match[] {
  if (found.size === 0) return [];
  const watch: Watch = { outpoints: new OutpointIndex(ANY_SEED), txids: new TxidIndex(ANY_SEED) };
  for (const [{ channelNo }, steps] of found) {
    const commitments = new Set(steps.map(({ commitmentTxid }) => commitmentTxid));
    for (const txid of commitments) watch.txids.add(txid, channelNo);
  }
  return scanBlock(raw, watch, txids);
}

/** In block order, each once. */
function rawsByEntry(
  core: Core,
  matches: readonly Match[],
): ReadonlyMap<PenaltyEntry, ReadonlyMap<number, Uint8Array>> {
  const byEntry = new Map<PenaltyEntry, Map<number, Uint8Array>>();
  for (const { txIndex, raw, owners } of [...matches].sort((a, b) => a.txIndex - b.txIndex)) {
    for (const owner of owners) {
      const entry = core.monitors.byNo(owner);
      if (entry?.kind !== "penaltyOnly") continue;
      const raws = byEntry.get(entry) ?? new Map<number, Uint8Array>();
      raws.set(txIndex, raw);
      byEntry.set(entry, raws);
    }
  }
  return byEntry;
}

export function connectPenaltyEntry(
  core: Core,
  draft: Draft,
  entry: PenaltyEntry,
  block: BlockPoint,
  findings: PenaltyBlock,
): void {
  if (entry.halt?.scope === "all") return;
  const said = findings.get(entry) ?? NOTHING;
  const input = { kind: "blockConnected", block, ...said } as const;
  const applied = applyPenaltyInput(core, draft, entry, input, undefined);
  if (applied.ok) tellOperator(core, entry, applied.value.events);
  else if (applied.error.reason !== "channelHalted") {
    haltChannel(core, draft, entry, "all", new Error("a block was refused"));
  }
  archivePenaltyEntry(core, draft, entry);
}

export function disconnectPenaltyEntry(
  core: Core,
  draft: Draft,
  entry: PenaltyEntry,
  forkPoint: BlockPoint,
): void {
  if (entry.halt?.scope === "all") return;
  const input = { kind: "blocksDisconnected", forkPoint } as const;
  const applied = applyPenaltyInput(core, draft, entry, input, undefined);
  if (!applied.ok && applied.error.reason !== "channelHalted") {
    haltChannel(core, draft, entry, "all", new Error("a disconnection was refused"));
  }
}

/** Money may be going: a person should know before the manager does something about it. */
export function tellOperator(
  core: Core,
  { channelId }: PenaltyEntry,
  events: readonly NewMonitorEvent[],
): void {
  for (const { body } of events) {
    if (body.kind === "commitmentTxConfirmed") {
      const { txid, commitmentNumber } = body;
      core.deps.log.warn({ channelId, txid, commitmentNumber }, "a revoked commitment confirmed");
    }
    if (body.kind === "penaltyOvertaken" && !body.byRevocationKey) {
      const { commitmentTxid, outpoint, spentBy } = body;
      const facts = { channelId, commitmentTxid, outpoint, spentBy };
      core.deps.log.error(facts, "the counterparty took an output of a revoked commitment");
    }
  }
}

function archivePenaltyEntry(core: Core, draft: Draft, entry: PenaltyEntry): void {
  if (entry.halt !== undefined || !mayBeOver(entry.state)) return;
  const unackedEvents = entry.pending.size > 0;
  const input = { kind: "resolutionChecked", unackedEvents } as const;
  if (!applyPenaltyInput(core, draft, entry, input, undefined).ok) return;
  if (penaltyArchivalOf(entry.state, unackedEvents).kind !== "due") return;
  moveToArchive(core, draft, entry);
}
