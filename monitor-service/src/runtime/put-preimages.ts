/**
 * PutPreimages: knowledge outside the numbered chain (contract 2.1). Each record on its own; a known
 * preimage is answered as durable without a new row. Records for one channel become one log row.
 */
import { checkEpoch } from "@farwatch/protocol/envelope/checks";
import { openPreimageBatch } from "@farwatch/protocol/envelope/open-manager-batch";
import type { PreimageRecord } from "@farwatch/protocol/envelope/preimage-record";
import { preimage, type ChannelId, type Preimage } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { learnPreimages } from "./apply-input.js";
import type { ArchivedChannel } from "./archive.js";
import { keepPreimages } from "./archived-preimages.js";
import { findOwn } from "./channel-views.js";
import { currentEpoch, identityOf, nextRow, type Core } from "./core.js";
import type { Draft } from "./draft.js";
import type { PreimageBatch, PreimageOutcome, Principal, StoredPreimages } from "./monitor-host.js";
import type { ChannelEntry } from "./monitors.js";
import type { PreimageKnowledge } from "./preimage-log.js";
import { signRecords } from "./receipts.js";
import { runStep } from "./run-step.js";

const PREIMAGE_BYTES = 32;

export async function putPreimages(
  core: Core,
  who: Principal,
  batch: PreimageBatch,
): Promise<Result<StoredPreimages, Refusal>> {
  const records = batch.records.map(({ header, preimage: bytes }) => ({
    header,
    preimage: sized(bytes),
  }));
  const opened = openPreimageBatch(core.deps.curve, identityOf(core, who), {
    ...batch,
    records: records.map((record) => ({ ...record, preimage: record.preimage ?? NONE })),
  });
  if (!opened.ok) return opened;
  const decided = await runStep(core, (draft) => {
    const fenced = checkEpoch(opened.value.batch.epoch, currentEpoch(core, who));
    if (fenced !== undefined) return err(fenced);
    const decision = new Decision(core, draft, who, batch);
    for (const [index, item] of opened.value.items.entries()) {
      const record = records[index];
      if (record?.preimage === undefined) decision.refuse(wrongLength());
      else if (!item.ok) decision.refuse(item.error);
      else decision.offer(item.value.header, record.header, record.preimage);
    }
    return ok(decision.finish());
  });
  if (!decided.ok) return decided;
  const outcomes = decided.value;
  const durable = opened.value.items.flatMap((item, index) =>
    item.ok && outcomes[index]?.refusal === undefined ? [item.value.hash] : [],
  );
  return ok({ outcomes, receipt: signRecords(core, durable) });
}

const NONE = preimage(new Uint8Array(PREIMAGE_BYTES));

const sized = (bytes: Uint8Array): Preimage | undefined =>
  bytes.length === PREIMAGE_BYTES ? preimage(Uint8Array.from(bytes)) : undefined;

const wrongLength = (): Refusal =>
  refuse("wrongLength", `preimage: expected ${PREIMAGE_BYTES} bytes`, {
    field: "preimage",
    limit: String(PREIMAGE_BYTES),
  });

/** Groups the accepted records by channel, so that a channel takes one step and one log row. */
class Decision {
  readonly #outcomes: PreimageOutcome[] = [];
  readonly #groups = new Map<
    ChannelEntry | ArchivedChannel,
    { records: PreimageKnowledge[]; indexes: number[] }
  >();

  constructor(
    private readonly core: Core,
    private readonly draft: Draft,
    private readonly who: Principal,
    private readonly batch: PreimageBatch,
  ) {}

  refuse(refusal: Refusal): void {
    this.#outcomes.push({ channelId: undefined, paymentHash: undefined, refusal });
  }

  offer(record: PreimageRecord, header: Uint8Array, secret: Preimage): void {
    const { channelId, paymentHash, sourceKey } = record;
    const place = this.#placeOf(channelId);
    const refusal = place.ok ? undefined : place.error;
    this.#outcomes.push({ channelId, paymentHash, refusal });
    if (!place.ok) return;
    const group = this.#groups.get(place.value) ?? { records: [], indexes: [] };
    group.records.push({ header, preimage: secret, sourceKey });
    group.indexes.push(this.#outcomes.length - 1);
    this.#groups.set(place.value, group);
  }

  #placeOf(channelId: ChannelId): Result<ChannelEntry | ArchivedChannel, Refusal> {
    const archived = this.core.archive.get(channelId);
    const own = archived?.row.managerKey === this.who.managerKey;
    return own && archived !== undefined ? ok(archived) : findOwn(this.core, this.who, channelId);
  }

  finish(): readonly PreimageOutcome[] {
    if (this.#groups.size === 0) return this.#outcomes;
    const batchRowId = nextRow(this.core, "batch");
    const { header, signature } = this.batch;
    this.draft.write({ op: "insertBatch", row: { rowId: batchRowId, header, signature } });
    for (const [place, { records, indexes }] of this.#groups) {
      if ("row" in place) {
        keepPreimages(this.core, this.draft, place, records, batchRowId);
        continue;
      }
      const refusal = learnPreimages(this.core, this.draft, place, records, batchRowId);
      if (refusal === undefined) continue;
      for (const index of indexes) {
        const outcome = this.#outcomes[index];
        if (outcome !== undefined) this.#outcomes[index] = { ...outcome, refusal };
      }
    }
    return this.#outcomes;
  }
}
