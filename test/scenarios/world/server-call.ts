/** A call as a service's handlers see it, with messages from memory instead of HTTP/2 frames. */
import { Duplex } from "node:stream";
import type { Metadata, ServerErrorResponse } from "@grpc/grpc-js";

export interface ServerCallParts {
  readonly request: unknown;
  readonly metadata: Metadata;
  /** DER certificate of the caller. */
  readonly certificate: Buffer;
  /** A message of the server, in the order written. */
  readonly sends: (message: unknown) => void;
  /** The server has ended the call: undefined for OK. */
  readonly ends: (error: Partial<ServerErrorResponse> | undefined) => void;
}

export class ServerCall extends Duplex {
  readonly request: unknown;
  readonly metadata: Metadata;
  cancelled = false;
  #over = false;

  constructor(private readonly parts: ServerCallParts) {
    super({ objectMode: true, autoDestroy: false, emitClose: false });
    this.request = parts.request;
    this.metadata = parts.metadata;
    this.on("error", (error: Partial<ServerErrorResponse>) => this.#end(error));
  }

  getPeer(): string {
    return "memory";
  }
  getAuthContext() {
    return { sslPeerCertificate: { raw: this.parts.certificate } };
  }

  /** Callers here wait for messages, never for headers. */
  sendMetadata(_headers: Metadata): void {
    // nothing is on its way
  }

  /** The caller is gone. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.cancelled = true;
    this.emit("cancelled");
    this.push(null);
  }

  override _read(): void {
    // messages are pushed as they arrive
  }
  override _write(message: unknown, _encoding: string, taken: () => void): void {
    if (!this.#over) this.parts.sends(message);
    taken();
  }
  override _final(done: () => void): void {
    this.#end(undefined);
    done();
  }

  #end(error: Partial<ServerErrorResponse> | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.parts.ends(error);
  }
}
