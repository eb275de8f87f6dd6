/**
 * One input to one channel inside a decision: step, seal the events, move memory, note what to write.
 * Either all of it happens or, on a refusal or a broken invariant, none. Preimages that the step
 * relays reach the inbound channels of the same manager in the same decision (contract 2.7a).
 */
import { encodePreimageRecord } from "@farwatch/protocol/envelope/preimage-record";
import { hashOfPreimage, type Outpoint } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { PreimageRelay, Transition } from "../monitor/effect.js";
import { isClosing } from "../monitor/htlcs.js";
import type { MonitorInput } from "../monitor/input.js";
import { step } from "../monitor/step.js";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import { keepPreimages } from "./archived-preimages.js";
import type { Core } from "./core.js";
import type { Draft } from "./draft.js";
import { haltChannel, haltedRefusal } from "./halt.js";
import { SNAPSHOT_AT_MOST_ROWS } from "./limits.js";
import type { ChannelEntry } from "./monitors.js";
import { preimageLog, type LogInput, type PreimageKnowledge } from "./preimage-log.js";
import { appendLog, sealAll, storeEvents, type LogSource } from "./record.js";

/** Errors: the step's own refusal, or channelHalted when it broke an invariant. */
export function applyInput(
  core: Core,
  draft: Draft,
  entry: ChannelEntry,
  input: MonitorInput,
  log: LogSource | undefined,
): Result<Transition, Refusal> {
  let transition: Transition;
  let sealed: readonly SealedMonitorEvent[];
  try {
    const result = step(core.context, entry.state, input);
    if (!result.ok) return result;
    transition = result.value;
    sealed = sealAll(core, entry, fundingOf(transition), transition.events);
  } catch (error) {
    return err(haltChannel(core, draft, entry, scopeOf(input), error));
  }
  moveTo(core, draft, entry, transition, sealed, log);
  return ok(transition);
}

/** Takes over a state that was computed beforehand; throws, with nothing moved, when sealing fails. */
export function takeOver(
  core: Core,
  draft: Draft,
  entry: ChannelEntry,
  transition: Transition,
): void {
  const sealed = sealAll(core, entry, fundingOf(transition), transition.events);
  moveTo(core, draft, entry, transition, sealed, undefined);
}

function moveTo(
  core: Core,
  draft: Draft,
  entry: ChannelEntry,
  transition: Transition,
  sealed: readonly SealedMonitorEvent[],
  log: LogSource | undefined,
): void {
  core.monitors.setState(entry, transition.state);
  draft.touch(entry);
  if (log !== undefined) appendLog(core, draft, entry, log());
  storeEvents(core, draft, entry, sealed);
  if (wantsSnapshot(entry, transition, log)) draft.snapshot(entry);
  for (const relay of transition.relays) relayPreimage(core, draft, entry, relay);
}

const scopeOf = (input: MonitorInput): "updates" | "all" =>
  input.kind === "blockConnected" || input.kind === "blocksDisconnected" ? "all" : "updates";

/** The same on every monitor, whether it knows yet that a splice is locked or not. */
const fundingOf = ({ state }: Transition): Outpoint =>
  state.spend?.funding ?? state.parameters.funding;

/**
 * The log replays exactly only while a channel is open: on a closing one, claims depend on the block
 * and the fees of the moment, so the state itself is written.
 */
function wantsSnapshot(
  entry: ChannelEntry,
  { state, persist }: Transition,
  log: LogSource | undefined,
): boolean {
  if (log === undefined) return persist;
  return isClosing(state) || entry.rowsSinceSnapshot >= SNAPSHOT_AT_MOST_ROWS;
}

/**
 * Stores preimages for a channel, those it does not know yet. A halted channel keeps them too, in its
 * log: a preimage is never dropped. The refusal then says that nobody acts on them.
 */
export function learnPreimages(
  core: Core,
  draft: Draft,
  entry: ChannelEntry,
  offered: readonly PreimageKnowledge[],
  batchRowId: number,
): Refusal | undefined {
  const fresh = offered.filter(
    ({ preimage }) => !entry.state.preimages.has(hashOfPreimage(preimage)),
  );
  if (fresh.length === 0) return undefined;
  const log = (): LogInput => preimageLog(fresh, batchRowId);
  const keep = (): void => {
    const news = fresh.filter(({ preimage }) => !entry.keptPreimages.has(hashOfPreimage(preimage)));
    if (news.length === 0) return;
    for (const { preimage } of news) entry.keptPreimages.add(hashOfPreimage(preimage));
    appendLog(core, draft, entry, preimageLog(news, batchRowId));
  };
  const preimages = fresh.map(({ preimage, sourceKey }) => ({ preimage, sourceKey }));
  if (entry.halt?.scope !== "all") {
    const applied = applyInput(core, draft, entry, { kind: "preimagesLearned", preimages }, log);
    if (applied.ok) return undefined;
    keep();
    return applied.error;
  }
  keep();
  return haltedRefusal(entry.halt.incident);
}

const NO_BATCH = 0;

function relayPreimage(core: Core, draft: Draft, from: ChannelEntry, relay: PreimageRelay): void {
  const { inboundChannelId } = relay;
  const unreadable = core.monitors.unreadable.get(inboundChannelId);
  if (unreadable?.managerKey === from.managerKey) {
    const { incident } = unreadable;
    notRelayed(core, from, relay, incident, "storedStateUnreadable");
    return;
  }
  const { preimage, sourceKey } = relay;
  const { managerKey } = from;
  const header = encodePreimageRecord({
    chainHash: core.own.chainHash,
    channelId: inboundChannelId,
    managerKey,
    epoch: core.epochs.get(managerKey)?.epoch ?? 0n,
    paymentHash: hashOfPreimage(preimage),
    sourceKey,
  });
  const knowledge = [{ header, preimage, sourceKey }];
  const archived = core.archive.get(inboundChannelId);
  if (archived?.row.managerKey === managerKey) {
    keepPreimages(core, draft, archived, knowledge, NO_BATCH);
    return;
  }
  const inbound = core.monitors.get(inboundChannelId);
  if (inbound?.kind !== "full" || inbound.managerKey !== managerKey) return;
  const refusal = learnPreimages(core, draft, inbound, knowledge, NO_BATCH);
  if (refusal === undefined) return;
  notRelayed(core, from, relay, refusal.details["incident"], refusal.reason);
}

/** The inbound HTLC is at risk until a person acts; the preimage itself stays with `from`. */
function notRelayed(
  core: Core,
  { channelId }: ChannelEntry,
  { inboundChannelId, preimage }: PreimageRelay,
  incident: string | undefined,
  reason: Refusal["reason"],
): void {
  const paymentHash = hashOfPreimage(preimage);
  const facts = { incident, channelId, inboundChannelId, paymentHash, reason };
  core.deps.log.error(facts, "no channel acts on a relayed preimage");
}
