/**
 * WatchChannel and UpdateChannel from the node: parse, seal the header that will be signed, decide,
 * commit. Replays and conflicts below the head are answered from the stored rows.
 */
import {
  encodeUpdate,
  digestPayload,
  genesisHash,
  hashUpdate,
} from "@farwatch/protocol/envelope/update";
import { encodeInitialState, hashInitialState } from "@farwatch/protocol/envelope/initial-state";
import { parseInitialState } from "@farwatch/protocol/convert/channel";
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import { MAX_PAYLOAD_BYTES } from "@farwatch/protocol/envelope/limits";
import { updateId, type ChannelId, type Hash32, type UpdateId } from "@farwatch/protocol/ids";
import { equalBytes } from "@farwatch/protocol/bytes";
import { must } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { decodeRow } from "../manager/row-codec.js";
import { rowKeys, type ChannelRow, type Tables, type UpdateRow } from "../manager/rows.js";
import type { ManagerDeps } from "./deps.js";
import type { NodePrincipal, UpdateRequest } from "./manager-host.js";
import type { RunStep } from "./run-step.js";

/** All configured monitors are required; membership changes come with monitor sets. */
const FIRST_SET = 1;

export async function offerWatch(
  deps: ManagerDeps,
  run: RunStep,
  who: NodePrincipal,
  payload: Uint8Array,
  firstUpdateId: UpdateId,
): Promise<Result<ChannelId, Refusal>> {
  if (payload.length > MAX_PAYLOAD_BYTES) return err(tooLarge());
  const parsed = parseInitialState(payload);
  if (!parsed.ok) return parsed;
  const { parameters } = parsed.value;
  if (firstUpdateId < 1n) {
    return err(refuse("rangeExceeded", "update ids start at 1", { field: "first_update_id" }));
  }
  if (parameters.chainHash !== deps.chainHash) {
    return err(refuse("otherNetwork", "the channel is on another network"));
  }
  const { channelId, chainHash, funding } = parameters;
  const digest = digestPayload(payload);
  const header = encodeInitialState({
    chainHash,
    channelId,
    funding,
    managerKey: deps.managerKey,
    setNo: FIRST_SET,
    firstUpdateId,
    ...digest,
  });
  const offered = await run({
    kind: "watchOffered",
    nodeKey: who.nodeKey,
    initial: parsed.value,
    firstUpdateId,
    header,
    payload: Uint8Array.from(payload),
    watchHash: hashInitialState(header),
    genesisHash: genesisHash({
      chainHash,
      channelId,
      funding,
      initialStateSha256: digest.payloadSha256,
    }),
    requiredMonitors: deps.links.map(({ monitorKey }) => monitorKey),
    setNo: FIRST_SET,
  });
  return offered.ok ? ok(channelId) : offered;
}

const tooLarge = (): Refusal =>
  refuse("tooLarge", "the payload is larger than the limit", { limit: String(MAX_PAYLOAD_BYTES) });

/** "accepted" was told by the step; "replayed" must be answered by the caller. */
export type OfferOutcome =
  { readonly kind: "accepted" } | { readonly kind: "replayed"; readonly updateHash: Hash32 };

export async function offerUpdate(
  deps: ManagerDeps,
  tables: Tables,
  run: RunStep,
  who: NodePrincipal,
  request: UpdateRequest,
): Promise<Result<OfferOutcome, Refusal>> {
  const row = tables.channel.get(request.channelId);
  if (row === undefined) return err(refuse("channelUnknown", "watch the channel first"));
  if (row.nodeKey !== who.nodeKey) {
    return err(refuse("notYourChannel", "another node watches this channel"));
  }
  if (request.payload.length > MAX_PAYLOAD_BYTES) return err(tooLarge());
  if (request.updateId <= row.acceptedId) return replay(deps, run, row, request);
  if (request.updateId !== row.acceptedId + 1n) return err(gap(row));
  const steps = parseUpdatePayload(request.payload);
  if (!steps.ok) return steps;
  const { channelId, chainHash, funding, setNo } = row;
  const payload = Uint8Array.from(request.payload);
  const header = encodeUpdate({
    chainHash,
    channelId,
    funding,
    managerKey: deps.managerKey,
    setNo,
    updateId: request.updateId,
    prevHash: row.headHash,
    payloadType: "typedSteps",
    ...digestPayload(payload),
  });
  const offered = await run({
    kind: "updateOffered",
    nodeKey: who.nodeKey,
    channelId,
    updateId: request.updateId,
    updateHash: hashUpdate(header),
    header,
    payload,
    steps: steps.value,
  });
  return offered.ok ? ok({ kind: "accepted" }) : offered;
}

export const expectedUpdateId = (row: ChannelRow | undefined): bigint =>
  row === undefined ? 0n : row.acceptedId + 1n;

const gap = (row: ChannelRow): Refusal =>
  refuse("updateGap", "not the next update", {
    expected_update_id: String(updateId(row.acceptedId + 1n)),
  });

/** Same id, same bytes: answered again. Other bytes: two histories; the channel is frozen. */
async function replay(
  deps: ManagerDeps,
  run: RunStep,
  row: ChannelRow,
  request: UpdateRequest,
): Promise<Result<OfferOutcome, Refusal>> {
  const { channelId } = row;
  const key = rowKeys.update(channelId, request.updateId);
  const after = rowKeys.update(channelId, request.updateId + 1n);
  const [found] = await deps.store.range("update", key, after, 1);
  const stored = found === undefined ? undefined : decodeRow<UpdateRow>(found.value);
  if (stored !== undefined && equalBytes(stored.payload, request.payload)) {
    return ok({ kind: "replayed", updateHash: stored.updateHash });
  }
  const why = `the node sent update ${request.updateId} again with other bytes`;
  must(await run({ kind: "channelBroken", channelId, why }), "frozen");
  return err(
    refuse("updateConflict", "the same update id came with other bytes", {
      update_id: String(request.updateId),
    }),
  );
}
