/** Every RPC of ManagerService and what serves it; the compiler checks that none is missing. */
import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { ManagerServiceService } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { RpcContext } from "./admission.js";
import { claimPayment } from "./claim-payment.js";
import { closePayment } from "./close-payment.js";
import { done } from "./done.js";
import { forceClose } from "./force-close.js";
import { getChannel } from "./get-channel.js";
import { getInfo } from "./get-info.js";
import { getLdkMonitor } from "./get-ldk-monitor.js";
import { htlcFulfilled } from "./htlc-fulfilled.js";
import { htlcNotSent } from "./htlc-not-sent.js";
import { listChannels } from "./list-channels.js";
import { listForwards } from "./list-forwards.js";
import { listMonitors } from "./list-monitors.js";
import { listPayments } from "./list-payments.js";
import { listPendingEvents } from "./list-pending-events.js";
import { openNodeSession } from "./open-node-session.js";
import { putLdkCheckpoint } from "./put-ldk-checkpoint.js";
import { registerPayment } from "./register-payment.js";
import { signBump } from "./sign-bump.js";
import { subscribe } from "./subscribe.js";
import type { Rpc } from "./unary.js";
import { updateChannel } from "./update-channel.js";
import { watchChannel } from "./watch-channel.js";

type RpcName = keyof ManagerServiceService;

const RPCS: Readonly<Record<RpcName, (context: RpcContext) => Rpc>> = {
  openNodeSession,
  watchChannel,
  updateChannel,
  registerPayment,
  closePayment,
  claimPayment,
  htlcFulfilled,
  htlcNotSent,
  subscribe,
  done,
  signBump,
  getChannel,
  listChannels,
  listPayments,
  listForwards,
  listPendingEvents,
  listMonitors,
  getLdkMonitor,
  putLdkCheckpoint,
  forceClose,
  getInfo,
};

/** What grpc-js's `addService` takes. */
export function managerService(context: RpcContext): {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
} {
  const served = Object.entries(RPCS).map(([name, make]) => [name, make(context)] as const);
  return {
    definition: Object.fromEntries(served.map(([name, rpc]) => [name, rpc.definition])),
    implementation: Object.fromEntries(served.map(([name, rpc]) => [name, rpc.handler])),
  };
}
