/** WatchChannel and UpdateChannel from the node: parse, look up what is stored, decide, commit. */
import { readImportedEvents } from "@farwatch/protocol/convert/imported-events";
import { parseFirstState } from "@farwatch/protocol/convert/penalty-only";
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import { checkPayloadSize } from "@farwatch/protocol/envelope/limits";
import type { ChannelId, UpdateId } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { Tables } from "../manager/draft.js";
import type { ManagerDeps } from "./deps.js";
import { firstStateOfLdk, stepsOfLdk, type SignedState } from "./ldk-bytes.js";
import type { FirstState, NodePrincipal, UpdateRequest } from "./manager-host.js";
import type { RunStep } from "./run-step.js";
import type { UpdateLog } from "./update-log.js";

/** All configured monitors are required; membership changes come with monitor sets. */
const FIRST_SET = 1;

export async function offerWatch(
  deps: ManagerDeps,
  run: RunStep,
  { nodeKey }: NodePrincipal,
  first: FirstState,
  asked: UpdateId,
): Promise<Result<ChannelId, Refusal>> {
  const state = signedStateOf(deps, first, asked);
  if (!state.ok) return state;
  const { payload, firstUpdateId } = state.value;
  const parsed = parseFirstState(payload);
  if (!parsed.ok) return parsed;
  const requiredMonitors = deps.links.map(({ monitorKey }) => monitorKey);
  const common = { nodeKey, ...state.value, requiredMonitors, setNo: FIRST_SET };
  if (parsed.value.kind === "penaltyOnly") {
    const { channel } = parsed.value;
    const offered = await run({ kind: "penaltyWatchOffered", ...common, channel });
    return offered.ok ? ok(channel.channelId) : offered;
  }
  const imported = readImportedEvents(payload, firstUpdateId);
  if (!imported.ok) return imported;
  const { initial } = parsed.value;
  const offered = await run({ kind: "watchOffered", ...common, initial });
  return offered.ok ? ok(initial.parameters.channelId) : offered;
}

function signedStateOf(
  { chainHash, curve }: ManagerDeps,
  { kind, bytes }: FirstState,
  asked: UpdateId,
): Result<SignedState, Refusal> {
  const tooLarge = checkPayloadSize(
    bytes.length,
    kind === "ldkMonitor" ? "ldk_monitor" : "initial_state",
  );
  if (tooLarge !== undefined) return err(tooLarge);
  if (kind === "ldkMonitor") return firstStateOfLdk(bytes, asked, chainHash, curve);
  const payload = Uint8Array.from(bytes);
  return ok({ payload, firstUpdateId: asked, ldkMonitorHash: undefined });
}

/** Decides at once when the id is new, so that updates are decided in the order they came. */
export async function offerUpdate(
  tables: Tables,
  log: UpdateLog,
  run: RunStep,
  { nodeKey }: NodePrincipal,
  request: UpdateRequest,
): Promise<Result<void, Refusal>> {
  const { channelId, updateId, payloadType } = request;
  const field = payloadType === "ldkBytes" ? "ldk_bytes" : "typed";
  const tooLarge = checkPayloadSize(request.payload.length, field);
  if (tooLarge !== undefined) return err(tooLarge);
  const read = readSteps(tables, request);
  if (!read.ok) return read;
  const steps = read.value;
  const payload = Uint8Array.from(request.payload);
  const named = { channelId, updateId, payload, payloadType };
  const offer = { kind: "updateOffered", nodeKey, ...named, steps } as const;
  const acceptedId = tables.channel.get(channelId)?.acceptedId;
  const isOld = acceptedId !== undefined && updateId <= acceptedId;
  if (!isOld) return run({ ...offer, stored: undefined });
  const [stored] = await log.read(channelId, updateId, 1);
  return run({ ...offer, stored });
}

function readSteps(
  { watch }: Tables,
  request: UpdateRequest,
): Result<readonly UpdateStep[], Refusal> {
  return request.payloadType === "ldkBytes"
    ? stepsOfLdk(watch.get(request.channelId), request)
    : parseUpdatePayload(request.payload);
}
