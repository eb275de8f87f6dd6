/** A gRPC service without a port: serialized requests in, serialized answers out, by the real handlers. */
import type {
  Metadata,
  ServerErrorResponse,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { must } from "@farwatch/protocol/assert";
import type { Life } from "./life.js";
import { ServerCall } from "./server-call.js";

export interface Answers {
  message(bytes: Buffer): void;
  /** The last word; undefined for OK. */
  end(error: Partial<ServerErrorResponse> | undefined): void;
}

export interface IncomingCall {
  message(bytes: Buffer): void;
  halfClose(): void;
  cancel(): void;
}

export class MemoryServer {
  readonly #byPath: ReadonlyMap<string, string>;

  constructor(
    readonly life: Life,
    private readonly service: {
      readonly definition: ServiceDefinition;
      readonly implementation: UntypedServiceImplementation;
    },
  ) {
    const methods = Object.entries(service.definition);
    this.#byPath = new Map(methods.map(([name, { path }]) => [path, name]));
  }

  open(path: string, caller: Caller, answers: Answers): IncomingCall {
    const name = must(this.#byPath.get(path), `method ${path}`);
    const method = must(this.service.definition[name], "definition");
    const handler = must(this.service.implementation[name], "implementation");
    const { requestDeserialize, responseSerialize, requestStream, responseStream } = method;
    const makeCall = (request: unknown): ServerCall =>
      new ServerCall({
        request,
        ...caller,
        sends: (message) => answers.message(responseSerialize(message)),
        ends: (error) => answers.end(error),
      });
    const start = (call: ServerCall): ServerCall => {
      const reply = (error: Partial<ServerErrorResponse> | null, value: unknown): void => {
        if (error === null) answers.message(responseSerialize(value));
        answers.end(error ?? undefined);
      };
      Reflect.apply(handler, undefined, responseStream ? [call] : [call, reply]);
      return call;
    };
    let call = requestStream ? start(makeCall(undefined)) : undefined;
    return {
      message(bytes) {
        const request: unknown = requestDeserialize(bytes);
        if (requestStream) call?.push(request);
        else call = start(makeCall(request));
      },
      halfClose: () => requestStream && call?.push(null),
      cancel: () => call?.cancel(),
    };
  }
}

export interface Caller {
  readonly metadata: Metadata;
  readonly certificate: Buffer;
}
