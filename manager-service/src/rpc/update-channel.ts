/**
 * UpdateChannel: updates in, in order and pipelined; accepted, completed and refused out, in the order
 * they became true. Reading pauses while too much is under way, so a caller cannot make the manager
 * hold more than a window of updates or answers (contract 2.1 to 2.4).
 */
import { Metadata, type ServerDuplexStream } from "@grpc/grpc-js";
import {
  ManagerServiceService as Service,
  type UpdateChannelRequest,
  type UpdateChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { admitSession, type RpcContext, type SessionCaller } from "./admission.js";
import { refusalOf } from "./backstop.js";
import { MAX_BUFFERED_ANSWERS, MAX_STATE_REQUEST_BYTES, MAX_UPDATES_IN_FLIGHT } from "./limits.js";
import { once } from "./once.js";
import { OpenUpdates } from "./open-updates.js";
import { readUpdate, refusedUpdate } from "./read-update.js";
import { bounded, type Received } from "./received.js";
import { StreamWriter } from "./stream-writer.js";
import { toStatus } from "./to-status.js";
import type { Rpc } from "./unary.js";

const RPC = Service.updateChannel.path;

type Call = ServerDuplexStream<Received<UpdateChannelRequest>, UpdateChannelResponse>;

export const updateChannel = (context: RpcContext): Rpc => ({
  definition: bounded(Service.updateChannel, MAX_STATE_REQUEST_BYTES),
  handler(call: Call): void {
    try {
      const caller = admitSession(context, call);
      if (caller.ok) new UpdateStream(context, call, caller.value).start();
      else call.emit("error", toStatus(caller.error));
    } catch (error) {
      call.emit("error", toStatus(refusalOf(error, RPC, context.log)));
    }
  },
});

class UpdateStream {
  readonly #context: RpcContext;
  readonly #call: Call;
  readonly #caller: SessionCaller;
  readonly #writer: StreamWriter<UpdateChannelResponse>;
  readonly #open = new OpenUpdates();
  #inFlight = 0;
  #halfClosed = false;
  #close: () => void = () => undefined;

  constructor(context: RpcContext, call: Call, caller: SessionCaller) {
    this.#context = context;
    this.#call = call;
    this.#caller = caller;
    this.#writer = new StreamWriter(call, () => this.#pace());
  }

  start(): void {
    const forget = this.#context.track((refusal) => this.#end(refusal));
    const subscription = this.#context.host.updateStream(this.#caller.who, {
      tell: (response) => this.#tell(response),
      end: (refusal) => this.#end(refusal),
    });
    this.#close = once(() => {
      forget();
      subscription.close();
    });
    if (this.#writer.ended) return this.#close();
    // Some clients send nothing before they have the answer's headers, which else come with the first answer.
    this.#call.sendMetadata(new Metadata());
    this.#call.on("data", (received: Received<UpdateChannelRequest>) => {
      try {
        this.#receive(received);
      } catch (error) {
        this.#fail(error);
      }
    });
    this.#call.on("end", () => this.#halfClose());
    for (const event of ["cancelled", "close"]) this.#call.on(event, () => this.#gone());
  }

  #receive(received: Received<UpdateChannelRequest>): void {
    if (this.#writer.ended) return;
    const { who, session } = this.#caller;
    const replaced = this.#context.host.checkSession(who, session);
    if (replaced !== undefined) return this.#end(replaced);
    if (!received.ok) return this.#end(received.error);
    const request = readUpdate(received.value);
    if (!request.ok) return this.#refuse(received.value, request.error);
    this.#inFlight += 1;
    this.#pace();
    this.#context.host.update(who, request.value).then(
      () => this.#settled(),
      (error: unknown) =>
        this.#end(refusalOf(error, Service.updateChannel.path, this.#context.log)),
    );
  }

  /** A request that names its channel is refused alone; one that does not ends the stream. */
  #refuse(request: UpdateChannelRequest, refusal: Refusal): void {
    const response = refusedUpdate(request, refusal);
    if (response === undefined) this.#end(refusal);
    else this.#tell(response);
  }

  #tell(response: UpdateChannelResponse): void {
    if (this.#writer.ended) return;
    this.#open.told(response);
    this.#writer.push(response);
    if (this.#writer.queued > MAX_BUFFERED_ANSWERS) {
      const limit = String(MAX_BUFFERED_ANSWERS);
      return this.#end(refuse("tooManyInFlight", "answers are not being read", { limit }));
    }
    this.#pace();
    this.#endWhenComplete();
  }

  #settled(): void {
    this.#inFlight -= 1;
    this.#pace();
    this.#endWhenComplete();
  }

  #pace(): void {
    if (this.#writer.ended) return;
    const busy = this.#inFlight + this.#writer.queued >= MAX_UPDATES_IN_FLIGHT;
    if (busy && !this.#call.isPaused()) this.#call.pause();
    if (!busy && this.#call.isPaused()) this.#call.resume();
  }

  #halfClose(): void {
    this.#halfClosed = true;
    this.#endWhenComplete();
  }

  /** After the caller's last update the answers go on until each accepted one is completed. */
  #endWhenComplete(): void {
    if (this.#halfClosed && this.#inFlight === 0 && this.#open.none) this.#end(undefined);
  }

  #fail(error: unknown): void {
    this.#end(refusalOf(error, RPC, this.#context.log));
  }

  #end(refusal: Refusal | undefined): void {
    this.#writer.end(refusal);
    this.#close();
  }

  #gone(): void {
    this.#writer.abandon();
    this.#close();
  }
}
