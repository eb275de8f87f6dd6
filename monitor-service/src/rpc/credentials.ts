/**
 * Mutual TLS 1.3 or nothing: a client without a certificate of our authority fails in the handshake.
 * grpc-js's own createSsl cannot set the protocol version and does not ask for client certificates
 * unless told, so the options are spelled out here.
 */
import { constants } from "node:crypto";
import { ServerCredentials } from "@grpc/grpc-js";

export interface TlsMaterial {
  /** PEM. Our certificate chain and its private key. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** PEM. The authority whose client certificates are let in. */
  readonly clientCa: Buffer;
}

export class MutualTlsCredentials extends ServerCredentials {
  constructor({ cert, key, clientCa }: TlsMaterial) {
    super(
      { requestCert: true, rejectUnauthorized: true },
      {
        ca: clientCa,
        cert,
        key,
        minVersion: "TLSv1.3",
        // No session is resumed: every connection proves its key anew.
        secureOptions: constants.SSL_OP_NO_TICKET,
      },
    );
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
