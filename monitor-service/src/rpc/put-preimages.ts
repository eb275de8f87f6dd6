/** PutPreimages: preimage records outside the numbered chain, answered one by one. */
import { fromHex } from "@farwatch/protocol/bytes";
import { refusalToDetail } from "@farwatch/protocol/convert/error";
import type {
  PreimageResult,
  PutPreimagesRequest,
  PutPreimagesResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ok } from "@farwatch/protocol/result";
import type { PreimageOutcome } from "../runtime/monitor-host.js";
import type { Run } from "./call.js";

export const putPreimages: Run<PutPreimagesRequest, PutPreimagesResponse> = async (
  { host, who },
  request,
) => {
  const stored = await host.putPreimages(who, request);
  if (!stored.ok) return stored;
  const { outcomes, receipt } = stored.value;
  return ok({
    results: outcomes.map(toResult),
    receiptHeader: Buffer.from(receipt?.header ?? []),
    receiptSignature: Buffer.from(receipt?.signature ?? []),
  });
};

const hexOrEmpty = (id: string | undefined): Buffer =>
  id === undefined ? Buffer.alloc(0) : Buffer.from(fromHex(id));

const toResult = ({ channelId, paymentHash, refusal }: PreimageOutcome): PreimageResult => ({
  channelId: hexOrEmpty(channelId),
  paymentHash: hexOrEmpty(paymentHash),
  error: refusal === undefined ? undefined : refusalToDetail(refusal),
});
