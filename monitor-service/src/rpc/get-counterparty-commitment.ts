/** GetCounterpartyCommitment: what the counterparty could put on chain, for a watchtower to look for. */
import { writeOutpoint } from "@farwatch/protocol/convert/channel";
import { writeCounterparty } from "@farwatch/protocol/convert/commitment";
import type {
  CounterpartyCommitmentTx,
  GetCounterpartyCommitmentRequest,
  GetCounterpartyCommitmentResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ok } from "@farwatch/protocol/result";
import type { CounterpartyTx } from "../monitor/watchtower.js";
import type { Run } from "./call.js";
import { readChannelId } from "./channel-id.js";
import { readCommitmentName } from "./commitment-name.js";

export const getCounterpartyCommitment: Run<
  GetCounterpartyCommitmentRequest,
  GetCounterpartyCommitmentResponse
> = async ({ host, who }, { channelId, commitment }) => {
  const id = readChannelId(channelId, "channel_id");
  if (!id.ok) return id;
  const name = readCommitmentName(commitment);
  if (!name.ok) return name;
  const found = await host.counterpartyCommitment(who, id.value, name.value);
  return found.ok ? ok({ commitments: found.value.map(toWire) }) : found;
};

function toWire(found: CounterpartyTx): CounterpartyCommitmentTx {
  const { commitment, scope, unsignedTx, toLocal, revoked } = found;
  return {
    commitment: writeCounterparty(commitment),
    funding: writeOutpoint(scope.parameters.funding),
    unsignedTx: Buffer.from(unsignedTx),
    toLocal:
      toLocal === undefined
        ? undefined
        : writeOutpoint({ txid: commitment.txid, vout: toLocal.vout }),
    toLocalSat: toLocal?.valueSat ?? 0n,
    revoked,
  };
}
