/** WatchChannel and UpdateChannel from the node: parse, look up what is stored, decide, commit. */
import { parseInitialState } from "@farwatch/protocol/convert/channel";
import { readImportedEvents } from "@farwatch/protocol/convert/imported-events";
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import { checkPayloadSize } from "@farwatch/protocol/envelope/limits";
import type { ChannelId, UpdateId } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { Tables } from "../manager/draft.js";
import type { ManagerDeps } from "./deps.js";
import type { NodePrincipal, UpdateRequest } from "./manager-host.js";
import type { RunStep } from "./run-step.js";
import type { UpdateLog } from "./update-log.js";

/** All configured monitors are required; membership changes come with monitor sets. */
const FIRST_SET = 1;

export async function offerWatch(
  deps: ManagerDeps,
  run: RunStep,
  { nodeKey }: NodePrincipal,
  bytes: Uint8Array,
  firstUpdateId: UpdateId,
): Promise<Result<ChannelId, Refusal>> {
  const tooLarge = checkPayloadSize(bytes.length, "initial_state");
  if (tooLarge !== undefined) return err(tooLarge);
  const parsed = parseInitialState(bytes);
  if (!parsed.ok) return parsed;
  const imported = readImportedEvents(bytes, firstUpdateId);
  if (!imported.ok) return imported;
  const offered = await run({
    kind: "watchOffered",
    nodeKey,
    initial: parsed.value,
    firstUpdateId,
    payload: Uint8Array.from(bytes),
    requiredMonitors: deps.links.map(({ monitorKey }) => monitorKey),
    setNo: FIRST_SET,
  });
  return offered.ok ? ok(parsed.value.parameters.channelId) : offered;
}

/** Decides at once when the id is new, so that updates are decided in the order they came. */
export async function offerUpdate(
  tables: Tables,
  log: UpdateLog,
  run: RunStep,
  { nodeKey }: NodePrincipal,
  { channelId, updateId, payload: bytes }: UpdateRequest,
): Promise<Result<void, Refusal>> {
  const tooLarge = checkPayloadSize(bytes.length, "typed");
  if (tooLarge !== undefined) return err(tooLarge);
  const steps = parseUpdatePayload(bytes);
  if (!steps.ok) return steps;
  const payload = Uint8Array.from(bytes);
  const offer = { kind: "updateOffered", nodeKey, channelId, updateId, payload } as const;
  const acceptedId = tables.channel.get(channelId)?.acceptedId;
  const isOld = acceptedId !== undefined && updateId <= acceptedId;
  if (!isOld) return run({ ...offer, steps: steps.value, stored: undefined });
  const [stored] = await log.read(channelId, updateId, 1);
  return run({ ...offer, steps: steps.value, stored });
}
