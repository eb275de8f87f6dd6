/** What the manager refuses, and why. */
import assert from "node:assert/strict";
import type { Metadata } from "@grpc/grpc-js";
import { ERROR_TRAILER, parseErrorDetail } from "@farwatch/protocol/convert/error";
import type { Refusal } from "@farwatch/protocol/reasons";

/** The call is refused for this reason. */
export const assertRefused = (call: Promise<unknown>, reason: Refusal["reason"]): Promise<void> =>
  assert.rejects(call, (error: unknown) => {
    assert.equal(reasonOf(error), reason);
    return true;
  });

function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !hasMetadata(error)) return undefined;
  const [trailer] = error.metadata.get(ERROR_TRAILER);
  return trailer instanceof Uint8Array ? parseErrorDetail(trailer)?.reason : undefined;
}

const hasMetadata = (error: Error): error is Error & { readonly metadata: Metadata } =>
  "metadata" in error;
