/**
 * Subscribe: un-handled items first, then ReplayDone, then live items. Each item waits until the
 * transport has taken the one before, so a slow node slows its own feed and fills no memory.
 */
import type { ServerWritableStream } from "@grpc/grpc-js";
import {
  ManagerServiceService as Service,
  type SubscribeRequest,
  type SubscribeResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { NodePrincipal } from "../runtime/manager-host.js";
import { admitSession, type RpcContext } from "./admission.js";
import { refusalOf } from "./backstop.js";
import { MAX_REQUEST_BYTES } from "./limits.js";
import { once } from "./once.js";
import { bounded, type Received } from "./received.js";
import { StreamWriter } from "./stream-writer.js";
import { toStatus } from "./to-status.js";
import type { Rpc } from "./unary.js";

type Call = ServerWritableStream<Received<SubscribeRequest>, SubscribeResponse>;

export const subscribe = (context: RpcContext): Rpc => ({
  definition: bounded(Service.subscribe, MAX_REQUEST_BYTES),
  handler(call: Call): void {
    try {
      const who = admitSubscriber(context, call);
      if (who.ok) feed(context, call, who.value);
      else call.emit("error", toStatus(who.error));
    } catch (error) {
      call.emit("error", toStatus(refusalOf(error, Service.subscribe.path, context.log)));
    }
  },
});

function admitSubscriber(context: RpcContext, call: Call): Result<NodePrincipal, Refusal> {
  const admitted = admitSession(context, call);
  if (!admitted.ok) return admitted;
  return call.request.ok ? ok(admitted.value.who) : err(call.request.error);
}

function feed(context: RpcContext, call: Call, who: NodePrincipal): void {
  const writer = new StreamWriter<SubscribeResponse>(call);
  let close: () => void = () => undefined;
  const end = (refusal: Refusal | undefined): void => {
    writer.end(refusal);
    close();
  };
  const forget = context.track(end);
  const subscription = context.host.subscribe(who, {
    item: (item) => writer.write({ item: { $case: "event", value: item } }),
    replayDone(replayed, bumpsKnownOf, lastItemId) {
      const value = { replayed: BigInt(replayed), bumpsKnownOf: [...bumpsKnownOf], lastItemId };
      return writer.write({ item: { $case: "replayDone", value } });
    },
    end,
  });
  close = once(() => {
    forget();
    subscription.close();
  });
  if (writer.ended) return close();
  for (const event of ["cancelled", "close"]) {
    call.on(event, () => {
      writer.abandon();
      close();
    });
  }
}
