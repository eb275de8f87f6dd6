/**
 * UpdateChannel: one signed batch of updates. Checks in the order of contract 2.2, each update on its
 * own (2.3): a refused one changes nothing, later ones of its channel meet a gap, other channels go on.
 * A manager's batches are decided one after the other in the order received; their commits overlap.
 */
import { checkEpoch } from "@farwatch/protocol/envelope/checks";
import {
  openUpdateBatch,
  type Opened,
  type OpenedBatch,
} from "@farwatch/protocol/envelope/open-manager-batch";
import { parseUpdate, type UpdateHeader } from "@farwatch/protocol/envelope/update";
import { must } from "@farwatch/protocol/assert";
import type { ChannelId, Hash32 } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import type { ArchiveRow } from "../store/store.js";
import { currentEpoch, identityOf, nextRow, type Core } from "./core.js";
import {
  decideUpdate,
  storedKey,
  type OfferedUpdate,
  type UpdateDecision,
} from "./decide-update.js";
import type { Draft } from "./draft.js";
import { MAX_UPDATES_IN_FLIGHT, UPDATES_PER_SLICE } from "./limits.js";
import type { Principal, RefusedUpdate, SubmitOutcome, UpdateBatch } from "./monitor-host.js";
import { signReceipts, type ReceiptFacts } from "./receipts.js";
import { runStep } from "./run-step.js";
import type { Turns } from "./turns.js";

type Item = Result<Opened<UpdateHeader>, Refusal>;

export async function submitUpdates(
  core: Core,
  turns: Turns,
  who: Principal,
  batch: UpdateBatch,
): Promise<SubmitOutcome> {
  const count = batch.updates.length;
  if (!turns.enter(who.managerKey, count, MAX_UPDATES_IN_FLIGHT)) {
    const details = { limit: String(MAX_UPDATES_IN_FLIGHT) };
    return refuseAll(batch, refuse("tooManyInFlight", "too many updates without answer", details));
  }
  try {
    const opened = openUpdateBatch(core.deps.curve, identityOf(core, who), batch);
    if (!opened.ok) return refuseAll(batch, opened.error);
    const slices = await turns.take(who.managerKey, () =>
      decideBatch(core, who, batch, opened.value),
    );
    return answer(core, (await Promise.all(slices)).flat());
  } finally {
    turns.leave(who.managerKey, count);
  }
}

/** Ends when everything is decided and handed to the store; the promises end when it is durable. */
async function decideBatch(
  core: Core,
  who: Principal,
  batch: UpdateBatch,
  opened: OpenedBatch<{ readonly epoch: bigint }, UpdateHeader>,
): Promise<readonly Promise<readonly UpdateDecision[]>[]> {
  const stored = await storedHashes(core, opened.items);
  const context: BatchContext = { core, who, batch, epoch: opened.batch.epoch, stored };
  const refused = new Set<ChannelId>();
  const slices: Promise<readonly UpdateDecision[]>[] = [];
  for (let first = 0; first < opened.items.length; first += UPDATES_PER_SLICE) {
    if (first > 0) await new Promise((resolve) => setImmediate(resolve));
    const items = opened.items.slice(first, first + UPDATES_PER_SLICE);
    const slice = runStep(core, (draft) => decideSlice(context, draft, items, first, refused));
    slice.catch(() => undefined); // reported by Commits; the caller awaits it later
    slices.push(slice);
  }
  return slices;
}

interface BatchContext {
  readonly core: Core;
  readonly who: Principal;
  readonly batch: UpdateBatch;
  readonly epoch: bigint;
  /** Grows with what the batch makes durable: a batch may repeat its own updates. */
  readonly stored: Map<string, Hash32>;
}

function decideSlice(
  { core, who, batch, epoch, stored }: BatchContext,
  draft: Draft,
  items: readonly Item[],
  first: number,
  refused: Set<ChannelId>,
): readonly UpdateDecision[] {
  const fenced = checkEpoch(epoch, currentEpoch(core, who));
  let batchRowId: number | undefined;
  const proof = (): number => {
    if (batchRowId === undefined) {
      batchRowId = nextRow(core, "batch");
      const { header, signature } = batch;
      draft.write({ op: "insertBatch", row: { rowId: batchRowId, header, signature } });
    }
    return batchRowId;
  };
  return items.map((item, index) => {
    const bytes = must(batch.updates[first + index], "update of an item");
    const refusal = item.ok ? fenced : item.error;
    if (refusal !== undefined || !item.ok) {
      const named = nameOf(bytes.header);
      if (named.channelId !== undefined) refused.add(named.channelId);
      return { kind: "refused", ...named, refusal: must(refusal, "a refusal") };
    }
    const offered: OfferedUpdate = { ...bytes, opened: item.value, stored, proof };
    const decision = decideUpdate(core, draft, who, offered, refused);
    const { header, hash } = item.value;
    if (decision.kind === "refused") refused.add(header.channelId);
    else stored.set(storedKey(header), hash);
    return decision;
  });
}

const headOf = (
  core: Core,
  channelId: ChannelId,
): Pick<ArchiveRow, "headRowId" | "latestUpdateId" | "latestUpdateHash"> | undefined => {
  const entry = core.monitors.get(channelId);
  if (entry === undefined) return core.archive.get(channelId)?.row;
  const { latestUpdateId, latestUpdateHash } = entry.state;
  return { headRowId: entry.headRowId, latestUpdateId, latestUpdateHash };
};

/** Hashes of stored updates up to each channel's head, as far as the batch asks for them. */
async function storedHashes(core: Core, items: readonly Item[]): Promise<Map<string, Hash32>> {
  const found = new Map<string, Hash32>();
  for (const item of items) {
    if (!item.ok) continue;
    const { header } = item.value;
    const head = headOf(core, header.channelId);
    if (head === undefined) continue;
    const { latestUpdateId, latestUpdateHash } = head;
    // The batch may move the head before it repeats it.
    if (header.updateId === latestUpdateId) found.set(storedKey(header), latestUpdateHash);
    if (header.updateId >= latestUpdateId) continue;
    const row = await core.deps.store.findUpdate(head.headRowId, header.updateId);
    if (row?.updateHash !== undefined) found.set(storedKey(header), row.updateHash);
  }
  return found;
}

const nameOf = (header: Uint8Array): Pick<RefusedUpdate, "channelId" | "updateId"> => {
  const parsed = parseUpdate(header);
  return parsed.ok
    ? { channelId: parsed.value.channelId, updateId: parsed.value.updateId }
    : { channelId: undefined, updateId: undefined };
};

const refuseAll = (batch: UpdateBatch, refusal: Refusal): SubmitOutcome => ({
  receipts: undefined,
  refused: batch.updates.map(({ header }) => ({ ...nameOf(header), refusal })),
});

function answer(core: Core, decisions: readonly UpdateDecision[]): SubmitOutcome {
  const facts: ReceiptFacts[] = [];
  const refused: RefusedUpdate[] = [];
  for (const decision of decisions) {
    if (decision.kind === "durable") facts.push(decision.facts);
    else {
      const { channelId, updateId, refusal } = decision;
      refused.push({ channelId, updateId, refusal });
    }
  }
  return { receipts: signReceipts(core, facts), refused };
}
