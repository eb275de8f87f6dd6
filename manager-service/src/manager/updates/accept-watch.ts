/** WatchChannel: the first state is recorded before any monitor hears of it. */
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import { eventId, updateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { ManagerInput } from "../input.js";
import { rowKeys, type CounterpartyView } from "../rows.js";
import type { Work } from "../work.js";

type WatchOffered = Extract<ManagerInput, { kind: "watchOffered" }>;

export function acceptWatch(work: Work, offered: WatchOffered): Result<void, Refusal> {
  const { parameters, holderCommitment, counterpartyCommitment } = offered.initial;
  const { channelId } = parameters;
  const known = work.draft.channel.get(channelId);
  if (known !== undefined) {
    if (known.nodeKey !== offered.nodeKey) {
      return err(refuse("notYourChannel", "another node watches this channel"));
    }
    return known.watchHash === offered.watchHash
      ? ok(undefined)
      : err(
          refuse("alreadyWatched", "the channel is watched with another first state", {
            digest: known.watchHash,
          }),
        );
  }
  const hasHtlcs = holderCommitment.htlcs.length + counterpartyCommitment.htlcs.length > 0;
  if (hasHtlcs) {
    return err(
      refuse("unimplemented", "a channel that already has HTLCs cannot be taken over yet", {
        field: "htlcs",
      }),
    );
  }
  work.draft.channel.put(channelId, {
    channelId,
    nodeKey: offered.nodeKey,
    chainHash: parameters.chainHash,
    funding: parameters.funding,
    requiredMonitors: offered.requiredMonitors,
    setNo: offered.setNo,
    firstUpdateId: offered.firstUpdateId,
    watchHeader: offered.header,
    watchPayload: offered.payload,
    watchHash: offered.watchHash,
    genesisHash: offered.genesisHash,
    acceptedId: updateId(offered.firstUpdateId - 1n),
    headHash: offered.genesisHash,
    holderNumber: holderCommitment.commitmentNumber,
    counterparty: viewOf(counterpartyCommitment),
    counterpartyPrevious: undefined,
    completedId: undefined,
    frozen: undefined,
    closed: undefined,
  });
  for (const monitorKey of offered.requiredMonitors) {
    if (work.draft.receipt.get(rowKeys.receipt(monitorKey, channelId)) !== undefined) continue;
    work.draft.receipt.put(rowKeys.receipt(monitorKey, channelId), {
      monitorKey,
      channelId,
      storeId: undefined,
      updateId: undefined,
      updateHash: undefined,
      afterClose: false,
      watermark: eventId(0),
      recordedEventId: eventId(0),
      proof: undefined,
    });
  }
  work.effects.push({ kind: "sendWatch", channelId });
  return ok(undefined);
}

export const viewOf = (commitment: CounterpartyCommitment): CounterpartyView => ({
  number: commitment.commitmentNumber,
  point: commitment.perCommitmentPoint,
  outbound: commitment.htlcs.flatMap(({ source, paymentHash }) =>
    source === undefined ? [] : [{ sourceKey: source.sourceKey, paymentHash }],
  ),
});
