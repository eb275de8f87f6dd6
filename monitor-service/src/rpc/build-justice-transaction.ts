/** BuildJusticeTransaction: a signed claim of to_local, for a watchtower to hold. */
import { feeratePerKw } from "@farwatch/protocol/amount";
import { writeOutpoint } from "@farwatch/protocol/convert/channel";
import type {
  BuildJusticeTransactionRequest,
  BuildJusticeTransactionResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { txidToInternal } from "@farwatch/protocol/ids";
import { refuse } from "@farwatch/protocol/reasons";
import { err, ok } from "@farwatch/protocol/result";
import { FLOOR_FEERATES } from "../monitor/constants.js";
import type { Run } from "./call.js";
import { readChannelId } from "./channel-id.js";
import { readCommitmentName } from "./commitment-name.js";

/** Bytes: the longest witness program there is (BIP 141) with its version and length. */
const MAX_DESTINATION_BYTES = 42;

export const buildJusticeTransaction: Run<
  BuildJusticeTransactionRequest,
  BuildJusticeTransactionResponse
> = async ({ host, who }, request) => {
  const { destinationScript: script } = request;
  const id = readChannelId(request.channelId, "channel_id");
  if (!id.ok) return id;
  const name = readCommitmentName(request.commitment);
  if (!name.ok) return name;
  if (request.feeratePerKw < FLOOR_FEERATES.urgent) {
    const details = { field: "feerate_per_kw", limit: String(FLOOR_FEERATES.urgent) };
    return err(refuse("rangeExceeded", "nobody relays below the floor", details));
  }
  if (script.length > MAX_DESTINATION_BYTES) {
    const details = { field: "destination_script", limit: String(MAX_DESTINATION_BYTES) };
    return err(refuse("wrongLength", "the script is longer than any witness program", details));
  }
  const built = await host.buildJustice(who, {
    channelId: id.value,
    commitment: name.value,
    feeratePerKw: feeratePerKw(request.feeratePerKw),
    destinationScript: script.length === 0 ? undefined : Uint8Array.from(script),
  });
  if (!built.ok) return built;
  const { rawTx, txid, spends, feeSat, valueSat } = built.value;
  return ok({
    transaction: Buffer.from(rawTx),
    txid: Buffer.from(txidToInternal(txid)),
    spends: writeOutpoint(spends),
    feeSat,
    valueSat,
  });
};
