/**
 * Kills the watched node at every point of what it does until it is done: between two messages, with a
 * snapshot begun, written, or saved, with updates on the way or accepted. The same channel goes through all
 * lives.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { settle } from "./settle.js";
import { restart, type Stage } from "./stage.js";

const MAX_POINTS = 60;
const NETWORK_MS = 4;

class Killed extends Error {}

export interface KillResult {
  readonly kills: number;
  /** Payments with no end, or HTLCs left on either side. */
  readonly stuck: number;
  /** send_payment was not in any saved ChannelManager: nothing ever left. */
  readonly forgotten: number;
}

/** `begin` starts what is done once in each life; it must be over before the last point. */
export async function killPoints(made: Stage, begin: () => string): Promise<KillResult> {
  let stuck = 0;
  let forgotten = 0;
  for (let kills = 0; kills < MAX_POINTS; kills++) {
    const hash = begin();
    const isOver = await liveUntil(made, kills);
    if (isOver) return { kills, stuck, forgotten };
    await restart(made);
    if (hasHtlcs(made)) stuck += 1;
    if (!isResolved(made, hash)) forgotten += 1;
  }
  throw new Error("what is done has no end");
}

/** True when it was over before point number `last`. */
async function liveUntil(made: Stage, last: number): Promise<boolean> {
  const { pair, a } = made;
  let passed = 0;
  const point = (): void => {
    if (passed === last) throw new Killed();
    passed += 1;
  };
  try {
    for (let quiet = 0; quiet < 4;) {
      a.watch.tick();
      const moved = pair.step();
      if (moved) point();
      if (a.watch.needsSnapshot) {
        const begun = a.beginSave();
        point();
        a.disk = { manager: begun.manager, told: begun.snapshot.told };
        point();
        a.watch.snapshotSaved(begun.snapshot);
        point();
        await sleep(NETWORK_MS);
        point();
      } else if (!moved) await sleep(NETWORK_MS);
      quiet = moved || a.watch.backlog.unaccepted > 0 ? 0 : quiet + 1;
    }
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
    return false;
  }
  await settle(pair, a);
  return true;
}

const hasHtlcs = ({ pair }: Stage): boolean =>
  [pair.a, pair.b].some(({ manager }) =>
    manager
      .list_channels()
      .some(
        (channel) =>
          channel.get_pending_inbound_htlcs().length > 0 ||
          channel.get_pending_outbound_htlcs().length > 0,
      ),
  );

const isResolved = ({ pair }: Stage, hash: string): boolean =>
  [pair.a, pair.b].some(
    (node) => node.has(ldk.Event_PaymentSent, hash) || node.has(ldk.Event_PaymentFailed, hash),
  );
