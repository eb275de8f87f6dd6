/** Refusal <-> ErrorDetail. A reason this version does not know becomes `malformed` with its text. */
import { ErrorDetail } from "../../gen/monitor/v1/error.js";
import { isReason, refuse, type Refusal } from "../reasons.js";

/** gRPC trailer that carries the serialized ErrorDetail. */
export const ERROR_TRAILER = "farwatch-error-bin";

export const refusalToDetail = (refusal: Refusal): ErrorDetail => ({
  reason: refusal.reason,
  message: refusal.message,
  details: { ...refusal.details },
});

export function detailToRefusal(detail: ErrorDetail): Refusal {
  return isReason(detail.reason)
    ? refuse(detail.reason, detail.message, detail.details)
    : refuse("malformed", `unknown reason ${detail.reason}: ${detail.message}`, detail.details);
}

export const encodeErrorDetail = (refusal: Refusal): Uint8Array =>
  ErrorDetail.encode(refusalToDetail(refusal)).finish();

/** undefined when the trailer is malformed: the caller then falls back to the status code alone. */
export function parseErrorDetail(bytes: Uint8Array): Refusal | undefined {
  try {
    return detailToRefusal(ErrorDetail.decode(bytes));
  } catch {
    return undefined; // a malformed detail says nothing; the status code still does
  }
}
