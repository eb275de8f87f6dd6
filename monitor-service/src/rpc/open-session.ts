/** OpenSession: a manager announces its epoch; the answer says who this monitor is and what it takes. */
import { fromHex } from "@farwatch/protocol/bytes";
import type {
  OpenSessionRequest,
  OpenSessionResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ok } from "@farwatch/protocol/result";
import { SUPPORTED_STEPS } from "@farwatch/protocol/update";
import { HOST_LIMITS } from "../runtime/limits.js";
import type { Run } from "./call.js";

export const openSession: Run<OpenSessionRequest, OpenSessionResponse> = async (
  { host, who },
  request,
) => {
  const opened = await host.openSession(who, request);
  if (!opened.ok) return opened;
  const { monitorKey, storeId, storeGen, epoch } = opened.value;
  return ok({
    monitorKey: Buffer.from(fromHex(monitorKey)),
    storeId: Buffer.from(fromHex(storeId)),
    storeGen,
    features: host.info().features,
    limits: HOST_LIMITS,
    supportedSteps: SUPPORTED_STEPS,
    epoch,
  });
};
