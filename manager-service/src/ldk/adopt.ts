/**
 * A node that has kept its ChannelMonitors itself so far gives them to the manager-service, as its own disk has
 * them. Safe to repeat after a crash: the same bytes are answered again, and nothing else was sent before the
 * first snapshot.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ChannelId } from "@farwatch/protocol/ids";
import { firstChannelId } from "@farwatch/protocol/ldk/convert/source";
import { describeFailure } from "@farwatch/protocol/ldk/cursor";
import { decodeChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { RemoteWatchError } from "./errors.js";
import type { ManagerLink } from "./manager-link.js";
import type { Told, ToldChannel } from "./told.js";

/** Ms between two questions whether every monitor has it. */
const ASK_AGAIN_MS = 200;

export interface Adopted {
  readonly channelId: ChannelId;
  readonly updateId: bigint;
  readonly bytes: Uint8Array;
}

/** Throws RemoteWatchError replicaUnusable. */
export function readAdopted(bytes: Uint8Array): Adopted {
  const decoded = decodeChannelMonitor(bytes);
  if (!decoded.ok) throw new RemoteWatchError("replicaUnusable", describeFailure(decoded.error));
  const { funding, latestUpdateId, trailer } = decoded.value;
  const channelId = trailer.channelId ?? firstChannelId(funding);
  return { channelId, updateId: latestUpdateId, bytes };
}

/** As if a ChannelManager had been saved that was told each monitor's newest update. */
export const toldOf = (adopted: readonly Adopted[]): Told =>
  new Map(
    adopted.map(({ channelId, updateId }): [ChannelId, ToldChannel] => [
      channelId,
      { completed: updateId, newest: updateId, state: "open" },
    ]),
  );

/** Resolves when every required monitor has it. Throws RemoteWatchError refused. */
export async function handOver(link: ManagerLink, { updateId, bytes }: Adopted): Promise<void> {
  const request = {
    initialState: Buffer.alloc(0),
    firstUpdateId: updateId + 1n,
    ldkMonitor: Buffer.from(bytes),
  };
  for (;;) {
    const answer = await link.use((rpc) => rpc.watchChannel(request));
    if (!answer.ok) throw new RemoteWatchError("refused", answer.error.message, answer.error);
    if (answer.value.completed) return;
    await sleep(ASK_AGAIN_MS);
  }
}
