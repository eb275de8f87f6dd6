/**
 * A passive ChannelMonitor at exactly the update LDK was told (restart rules R3 and R6): read from the base
 * that the manager-service keeps, then brought forward update by update. It broadcasts nothing, is given no
 * block and is dropped after the ChannelManager was read.
 */
import type {
  GetLdkMonitorResponse,
  LdkMonitorStart,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { ChannelId } from "@farwatch/protocol/ids";
import { monitorWithoutClaimDetails, withoutClaimDetails } from "./claim-details.js";
import { RemoteWatchError, textOf } from "./errors.js";
import { okOf, type Ldk, type LdkModule } from "./ldk-module.js";
import type { MonitorReaders } from "./options.js";

export interface Replica {
  readonly monitor: Ldk.ChannelMonitor;
  readonly start: LdkMonitorStart;
  /** Applied on top of the base. */
  readonly updates: number;
}

export interface ReplicaRequest {
  readonly ldk: LdkModule;
  readonly readers: MonitorReaders;
  readonly broadcaster: Ldk.BroadcasterInterface;
  readonly channelId: ChannelId;
  /** undefined: nothing was told, the base is what is wanted. */
  readonly told: bigint | undefined;
}

export const silentBroadcaster = (ldk: LdkModule): Ldk.BroadcasterInterface =>
  ldk.BroadcasterInterface.new_impl({ broadcast_transactions: () => undefined });

/** Throws RemoteWatchError replicaUnusable. */
export async function buildReplica(
  request: ReplicaRequest,
  parts: AsyncIterable<GetLdkMonitorResponse>,
): Promise<Replica> {
  let building:
    { monitor: Ldk.ChannelMonitor; start: LdkMonitorStart; updates: number } | undefined;
  for await (const { part } of parts) {
    if (part?.$case === "start") {
      if (building !== undefined) throw unusable(request, "two bases came");
      building = {
        monitor: readBase(request, monitorWithoutClaimDetails(Uint8Array.from(part.value.monitor))),
        start: part.value,
        updates: 0,
      };
    } else if (part?.$case === "updates") {
      if (building === undefined) throw unusable(request, "updates came before their base");
      for (const bytes of part.value.updates) apply(request, building.monitor, bytes);
      building.updates += part.value.updates.length;
    }
  }
  if (building === undefined) throw unusable(request, "nothing came");
  const at = building.monitor.get_latest_update_id();
  if (request.told !== undefined && at !== request.told) {
    throw unusable(request, `it ends at update ${at}, and ${request.told} is wanted`);
  }
  return building;
}

/** Throws RemoteWatchError replicaUnusable. */
export function readBase(
  request: Pick<ReplicaRequest, "ldk" | "readers" | "channelId">,
  bytes: Uint8Array,
): Ldk.ChannelMonitor {
  const { ldk, readers } = request;
  const read = ldk.UtilMethods.constructor_C2Tuple_ThirtyTwoBytesChannelMonitorZ_read(
    Uint8Array.from(bytes),
    readers.entropySource,
    readers.signerProvider,
  );
  const Ok = ldk.Result_C2Tuple_ThirtyTwoBytesChannelMonitorZDecodeErrorZ_OK;
  try {
    return okOf(read, Ok, "reading a ChannelMonitor").res.get_b();
  } catch (error) {
    throw unusable(request, textOf(error));
  }
}

/** Ids are checked here: an update out of order is a panic in LDK. */
function apply(request: ReplicaRequest, monitor: Ldk.ChannelMonitor, bytes: Uint8Array): void {
  const { ldk, readers, broadcaster } = request;
  const bare = withoutClaimDetails(Uint8Array.from(bytes));
  const read = ldk.ChannelMonitorUpdate.constructor_read(bare);
  if (!(read instanceof ldk.Result_ChannelMonitorUpdateDecodeErrorZ_OK)) {
    throw unusable(request, "an update cannot be read");
  }
  const expected = monitor.get_latest_update_id() + 1n;
  const id = read.res.get_update_id();
  if (id !== expected) throw unusable(request, `update ${id} came where ${expected} belongs`);
  // An error is normal after the close: LDK applies what it can and says that the channel is over.
  monitor.update_monitor(read.res, broadcaster, readers.feeEstimator, readers.logger);
}

const unusable = (
  { channelId }: Pick<ReplicaRequest, "channelId">,
  why: string,
): RemoteWatchError => new RemoteWatchError("replicaUnusable", `channel ${channelId}: ${why}`);
