/** What somebody with the manager's key could send a monitor besides the manager: the past, or nonsense. */
import { must } from "@farwatch/protocol/assert";
import { hash32 } from "@farwatch/protocol/ids";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import type { Link } from "../../harness/routing/link.js";
import { TestManager } from "../../contract/shell/test-manager.js";
import { MANAGER_SECRET } from "../world/manager-process.js";
import type { ProcessName } from "../world/life.js";
import type { World } from "../world/world.js";

/** Signs as the manager does, in this epoch of it. */
export function forger({ curve }: World, epoch: bigint): TestManager {
  const manager = new TestManager(curve, MANAGER_SECRET);
  manager.epoch = epoch;
  return manager;
}

/** The monitor's state of a channel. */
export function stateAt(world: World, { channelId }: Link, by: ProcessName): MonitorState {
  const { host, who } = world.monitor(by);
  const view = host.channel(who, channelId);
  if (!view.ok) throw new Error(`${by}: ${view.error.reason}`);
  return view.value.state;
}

/** As a forger who knows everything: its next update follows the monitor's newest. */
export function forgerAt(world: World, link: Link, by: ProcessName, epoch: bigint): TestManager {
  const manager = forger(world, epoch);
  const newest = world
    .monitor(by)
    .disk.logRows()
    .findLast(({ kind }) => kind === "update");
  const hash = hash32(must(newest?.updateHash, "an update"));
  const { funding } = link.channel;
  manager.heads.set(link.channelId, { funding, id: must(newest, "it").updateId, hash });
  return manager;
}
