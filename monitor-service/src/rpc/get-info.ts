/** GetInfo: identity, limits, tip and state of this monitor. */
import { fromHex } from "@farwatch/protocol/bytes";
import { CHANNEL_TYPES } from "@farwatch/protocol/channel";
import { writeBlockPoint, writeChannelType } from "@farwatch/protocol/convert/channel";
import type {
  GetInfoRequest,
  GetInfoResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ok } from "@farwatch/protocol/result";
import { SUPPORTED_STEPS } from "@farwatch/protocol/update";
import { HOST_LIMITS } from "../runtime/limits.js";
import type { RpcDeps, Run } from "./call.js";

export const getInfo =
  (
    deps: Pick<RpcDeps, "version" | "packageRelay" | "walletConfirmedSat" | "chainReason">,
  ): Run<GetInfoRequest, GetInfoResponse> =>
  ({ host }) => {
    const info = host.info();
    return ok({
      version: deps.version,
      chainHash: Buffer.from(fromHex(info.chainHash)),
      monitorKey: Buffer.from(fromHex(info.monitorKey)),
      storeId: Buffer.from(fromHex(info.storeId)),
      storeGen: info.storeGen,
      limits: HOST_LIMITS,
      supportedSteps: SUPPORTED_STEPS,
      supportedChannelTypes: CHANNEL_TYPES.map(writeChannelType),
      curveBackend: info.curveBackend,
      tip: writeBlockPoint(info.tip),
      chainState: info.chainState,
      chainReason: deps.chainReason() ?? "",
      channels: BigInt(info.channels),
      archivedChannels: BigInt(info.archivedChannels),
      pendingEvents: BigInt(info.pendingEvents),
      oldestPendingEventAtMs: optionalBigInt(info.oldestPendingEventAtMs),
      packageRelay: deps.packageRelay(),
      feeReserveSat: info.feeReserveSat,
      walletConfirmedSat: deps.walletConfirmedSat(),
    });
  };

const optionalBigInt = (ms: number | undefined): bigint | undefined =>
  ms === undefined ? undefined : BigInt(ms);
