/** When updates become durable: who has them, what was told of them, and in which order. */
import { toHex } from "@farwatch/protocol/bytes";
import type { Link } from "../../harness/routing/link.js";
import type { UserEventKind } from "../world/recorder.js";
import type { World } from "../world/world.js";

/** Whether work that nobody waits for has ended. */
export interface Pending {
  readonly isDone: boolean;
}

export function pending(work: Promise<unknown>): Pending {
  const state = { isDone: false };
  // A work that fails is awaited by the scenario too, which then hears of it.
  work.then(
    () => (state.isDone = true),
    () => undefined,
  );
  return state;
}

/** Every `completed` of a channel, redelivered ones again: update id, "closed" when it says so. */
export const completionsOf = (world: World, { channelId }: Link): readonly string[] =>
  world.client.completions
    .map(({ completed }) => completed)
    .filter((completed) => toHex(completed.channelId) === channelId)
    .map(({ updateId, closed }) => `${updateId}${closed ? " closed" : ""}`);

/** Newest update of a channel that a monitor's log holds. */
export function newestAt(world: World, { channelId }: Link, by: string): bigint {
  const view = world.monitor(by).host.channel(world.monitor(by).who, channelId);
  if (!view.ok) throw new Error(`${by}: ${view.error.reason}`);
  return view.value.state.latestUpdateId;
}

/** True when the node was told such a user event before any `completed` of this update or a later one. */
export function toldBefore(
  world: World,
  kind: UserEventKind,
  { channelId }: Link,
  updateId: bigint,
): boolean {
  const completion = world.client.completions.find(
    ({ completed }) => toHex(completed.channelId) === channelId && completed.updateId >= updateId,
  );
  const told = world.record.entries.findIndex(
    (entry) =>
      entry.kind === "told" &&
      entry.item.item?.$case === "userEvent" &&
      entry.item.item.value.event?.$case === kind,
  );
  return told !== -1 && (completion === undefined || told < completion.after);
}

/** Updates are accepted, and no monitor is reached. */
export async function cutOff(world: World): Promise<void> {
  for (const { name } of world.monitors) await world.partition(name);
}
export async function reconnect(world: World): Promise<void> {
  for (const { name } of world.monitors) await world.heal(name);
}
