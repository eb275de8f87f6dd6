/**
 * WatchChannel: starts a monitor. The host's own keys must be those of the channel before the first
 * receipt (contract 2.20), those of pending splices too; all first commitments are checked like any later
 * one. The same bytes again are answered again, other bytes for a known channel are refused.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import type {
  ChannelParameters,
  ChannelPubkeys,
  InitialState,
  PenaltyOnlyChannel,
} from "@farwatch/protocol/channel";
import { readImportedEvents } from "@farwatch/protocol/convert/imported-events";
import { parseFirstState } from "@farwatch/protocol/convert/penalty-only";
import { checkEpoch, checkPayload } from "@farwatch/protocol/envelope/checks";
import type { InitialStateHeader } from "@farwatch/protocol/envelope/initial-state";
import { openWatch, type Opened } from "@farwatch/protocol/envelope/open-manager-batch";
import { outpointKey } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { Transition } from "../monitor/effect.js";
import type { MonitorState } from "../monitor/state.js";
import type { ArchivedRow } from "../store/store.js";
import { takeOver } from "./apply-input.js";
import { buildMonitor, genesisOf } from "./build-monitor.js";
import { currentEpoch, identityOf, nextRow, tipOf, type Core } from "./core.js";
import type { Draft } from "./draft.js";
import { causeOf } from "./error-cause.js";
import { haltedRefusal, newIncident } from "./halt.js";
import { MAX_CHANNELS_PER_MANAGER } from "./limits.js";
import type { Principal, SignedReceipts, WatchRequest } from "./monitor-host.js";
import {
  archivedFacts,
  repeatedStatus,
  signReceipts,
  watermarkOf,
  type ReceiptFacts,
} from "./receipts.js";
import type { AnyEntry, ChannelEntry } from "./monitors.js";
import { checkPenaltyNames, startPenaltyOnly } from "./penalty/watch-penalty-only.js";
import { runStep } from "./run-step.js";
import { firstCommitmentsIn } from "./stored-commitments.js";

type Watch = Opened<InitialStateHeader> & { readonly batch: { readonly epoch: bigint } };
interface Built {
  readonly initial: InitialState;
  readonly first: MonitorState;
  readonly now: Transition;
}

export async function watchChannel(
  core: Core,
  who: Principal,
  request: WatchRequest,
): Promise<Result<SignedReceipts, Refusal>> {
  const opened = openWatch(core.deps.curve, identityOf(core, who), request);
  if (!opened.ok) return opened;
  const watch = opened.value;
  const known = place(core, who, watch);
  const decided = known === undefined ? await watchNew(core, who, request, watch) : known;
  if (!decided.ok) return decided;
  await runStep(core, () => undefined); // a repeated answer waits for the commit of the first
  return ok(must(signReceipts(core, [decided.value]), "one receipt"));
}

async function watchNew(
  core: Core,
  who: Principal,
  request: WatchRequest,
  watch: Watch,
): Promise<Result<ReceiptFacts, Refusal>> {
  const damaged = checkPayload(watch.header, request.payload);
  if (damaged !== undefined) return err(damaged);
  const first = parseFirstState(request.payload);
  if (!first.ok) return first;
  if (first.value.kind === "penaltyOnly") {
    return watchPenaltyOnly(core, who, { ...watch, request }, first.value.channel);
  }
  const built = await build(core, watch, request.payload, first.value.initial);
  if (!built.ok) return built;
  return runStep(
    core,
    (draft) => place(core, who, watch) ?? start(core, draft, who, request, watch, built.value),
  );
}

async function watchPenaltyOnly(
  core: Core,
  who: Principal,
  watch: Watch & { readonly request: WatchRequest },
  channel: PenaltyOnlyChannel,
): Promise<Result<ReceiptFacts, Refusal>> {
  const misnamed = checkPenaltyNames(watch.header, channel);
  if (misnamed !== undefined) return err(misnamed);
  return runStep(core, (draft) => {
    const known = place(core, who, watch);
    if (known !== undefined) return known;
    return ok(firstReceipt(core, watch.header, startPenaltyOnly(core, draft, who, watch, channel)));
  });
}

/** undefined: the channel is new, the caller may, and there is room. */
function place(
  core: Core,
  who: Principal,
  { batch, header, hash }: Watch,
): Result<ReceiptFacts, Refusal> | undefined {
  const fenced = checkEpoch(batch.epoch, currentEpoch(core, who));
  if (fenced !== undefined) return err(fenced);
  const unreadable = core.monitors.unreadable.get(header.channelId);
  if (unreadable !== undefined) {
    const details = { incident: unreadable.incident };
    return err(refuse("storedStateUnreadable", "the stored channel cannot be read", details));
  }
  const archived = core.archive.get(header.channelId)?.row;
  const known = core.monitors.get(header.channelId) ?? archived;
  if (known === undefined) {
    if (core.monitors.countOf(who.managerKey) < MAX_CHANNELS_PER_MANAGER) return undefined;
    const details = { limit: String(MAX_CHANNELS_PER_MANAGER) };
    return err(refuse("tooManyChannels", "this manager has no room for another channel", details));
  }
  if (known.managerKey !== who.managerKey) {
    return err(refuse("notYourChannel", "the channel belongs to another manager"));
  }
  if (known.watchHash === hash) return ok(firstReceipt(core, header, known));
  const details = { channel_id: header.channelId, digest: known.watchHash };
  return err(refuse("alreadyWatched", "watched with another first state", details));
}

async function build(
  core: Core,
  watch: Watch,
  payload: Uint8Array,
  initial: InitialState,
): Promise<Result<Built, Refusal>> {
  const { header } = watch;
  const imported = readImportedEvents(payload, header.firstUpdateId);
  if (!imported.ok) return imported;
  const refusal =
    checkNames(header, initial) ??
    [initial, ...initial.pendingFundings]
      .map(({ parameters }) => checkKeys(core, parameters))
      .find((problem) => problem !== undefined);
  if (refusal !== undefined) return err(refusal);
  try {
    const built = await buildMonitor(core, watch, initial, imported.value);
    return built.ok ? ok({ initial, ...built.value }) : built;
  } catch (error) {
    const incident = newIncident(core);
    const { channelId } = header;
    core.deps.log.error({ incident, channelId, cause: causeOf(error) }, "channel not started");
    return err(haltedRefusal(incident));
  }
}

function checkNames(header: InitialStateHeader, { parameters }: InitialState): Refusal | undefined {
  const same =
    parameters.channelId === header.channelId &&
    parameters.chainHash === header.chainHash &&
    outpointKey(parameters.funding) === outpointKey(header.funding);
  const details = { field: "parameters" };
  return same
    ? undefined
    : refuse("malformed", "header and payload name different channels", details);
}

const KEY_NAMES: readonly (keyof ChannelPubkeys)[] = [
  "fundingPubkey",
  "revocationBasepoint",
  "paymentPoint",
  "delayedPaymentBasepoint",
  "htlcBasepoint",
];

export function checkKeys(core: Core, parameters: ChannelParameters): Refusal | undefined {
  const { channelKeysId, holderPubkeys, spliceParentFundingTxid } = parameters;
  const ours = core.deps.signer.pubkeys(channelKeysId, spliceParentFundingTxid);
  if (ours === undefined) {
    const which = "channelKeysId";
    return refuse("keysMismatch", "this host holds no keys for the channel", { which });
  }
  const which = KEY_NAMES.find((name) => {
    const held = name === "paymentPoint" ? ours.paymentPoints : [ours[name]];
    return !held.some((key) => equalBytes(key, holderPubkeys[name]));
  });
  if (which === undefined) return undefined;
  return refuse("keysMismatch", "this host holds other keys for the channel", { which });
}

function start(
  core: Core,
  draft: Draft,
  who: Principal,
  request: WatchRequest,
  { header, hash: watchHash }: Watch,
  { initial, first, now }: Built,
): Result<ReceiptFacts, Refusal> {
  if (now.state.best.hash !== tipOf(core).hash) {
    return err(refuse("chainBehind", "a block arrived meanwhile: send the same bytes again"));
  }
  const { channelId } = header;
  const { managerKey } = who;
  const channelNo = nextRow(core, "channel");
  const entry: ChannelEntry = {
    kind: "full",
    channelNo,
    channelId,
    managerKey,
    watchHash,
    firstCounterpartyCommitments: firstCommitmentsIn(initial),
    state: first,
    durable: first,
    headRowId: 0,
    rowsSinceSnapshot: 0,
    lastEventHash: undefined,
    pending: new Map(),
    halt: undefined,
    keptPreimages: new Set(),
  };
  const { header: bytes, payload } = request;
  const row = { channelNo, channelId, managerKey, header: bytes, payload, watchHash };
  draft.write({ op: "insertChannel", row });
  core.monitors.add(entry);
  core.catchUp.drop(watchHash);
  takeOver(core, draft, entry, now);
  return ok(firstReceipt(core, header, entry));
}

/** Proves the id before the first update, with the hash that the first update must name. */
const firstReceipt = (
  core: Core,
  header: InitialStateHeader,
  channel: AnyEntry | ArchivedRow,
): ReceiptFacts => ({
  channelId: header.channelId,
  setNo: header.setNo,
  ...genesisOf(header),
  ...("state" in channel
    ? { status: repeatedStatus(channel), eventWatermark: watermarkOf(channel.state) }
    : archivedFacts(channel)),
  tip: tipOf(core),
});
