/**
 * A gRPC service that carries bytes and does nothing else: what grpc-js itself costs. `Exchange` answers
 * every message with one of a fixed size; `Pour` sends a fixed number of messages.
 */
import type { ServiceDefinition } from "@grpc/grpc-js";

const asIs = (bytes: Buffer): Buffer => bytes;
const CODEC = {
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};

export const RAW_SERVICE = {
  exchange: {
    path: "/farwatch.bench.Raw/Exchange",
    requestStream: true,
    responseStream: true,
    ...CODEC,
  },
  pour: { path: "/farwatch.bench.Raw/Pour", requestStream: false, responseStream: true, ...CODEC },
} satisfies ServiceDefinition;
