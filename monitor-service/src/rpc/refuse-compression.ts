/**
 * Interceptor: refuses calls whose messages are compressed. Signed bytes gain nothing from it and a
 * small message that becomes a large one is an attack (reliability 3.7).
 */
import { Metadata, ServerInterceptingCall, status, type ServerInterceptor } from "@grpc/grpc-js";

export const refuseCompression: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    start: (next) => {
      // grpc-js takes the header away before interceptors see it and keeps only this field.
      const encoding: unknown = Reflect.get(call, "incomingEncoding");
      if (encoding === undefined || encoding === "identity") {
        next();
        return;
      }
      const details = "compressed messages are not taken";
      call.sendStatus({ code: status.UNIMPLEMENTED, details, metadata: new Metadata() });
    },
  });
