/** SignBump: a wallet of the manager has funded what a bump request asked for. */
import type {
  SignBumpRequest,
  SignBumpResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { hash32, txidToInternal } from "@farwatch/protocol/ids";
import { toHex } from "@farwatch/protocol/bytes";
import { refuse } from "@farwatch/protocol/reasons";
import { err, ok } from "@farwatch/protocol/result";
import type { Run } from "./call.js";
import { readChannelId } from "./channel-id.js";

const CLAIM_ID_BYTES = 32;

export const signBump: Run<SignBumpRequest, SignBumpResponse> = async ({ host, who }, request) => {
  const { claimId, funded, epoch } = request;
  const id = readChannelId(request.channelId, "channel_id");
  if (!id.ok) return id;
  if (claimId.length !== CLAIM_ID_BYTES) {
    return err(refuse("wrongLength", "claim_id is 32 bytes", { field: "claim_id" }));
  }
  if (funded === undefined) {
    return err(refuse("malformed", "transaction or psbt is needed", { field: "funded" }));
  }
  const signed = await host.signBump(who, {
    channelId: id.value,
    claimId: hash32(toHex(claimId)),
    funded: { kind: funded.$case, bytes: Uint8Array.from(funded.value) },
    epoch,
  });
  return signed.ok ? ok({ txid: Buffer.from(txidToInternal(signed.value)) }) : signed;
};
