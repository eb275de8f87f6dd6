/**
 * A channel's first state, from the first `ChannelMonitor` LDK writes for it: both sides' first
 * commitments and no HTLC yet. A monitor that has taken updates holds revoked commitments too; it cannot
 * be the start of a replay.
 */
import { blockHeight } from "@farwatch/protocol/block";
import { reversed, toHex } from "@farwatch/protocol/bytes";
import { blockHash } from "@farwatch/protocol/block";
import type { CounterpartyCommitment, InitialState } from "@farwatch/protocol/channel";
import {
  fail,
  present,
  readFeerate,
  readHeight,
  readSat,
  readWith,
} from "@farwatch/protocol/convert/reader";
import { commitmentNumber } from "@farwatch/protocol/ids";
import type { LdkChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { writtenBy } from "@farwatch/protocol/ldk/monitor-trailer";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import { toHolderCommitment } from "./ldk-commitment.js";
import { toParameters } from "./ldk-parameters.js";
import { firstChannelId } from "./ldk-source.js";

const FIRST = commitmentNumber(0);

export const toInitialState = (
  monitor: LdkChannelMonitor,
  chainHash: string,
): Result<InitialState, Refusal> => readWith(() => readInitialState(monitor, chainHash));

function readInitialState(monitor: LdkChannelMonitor, chainHash: string): InitialState {
  const { trailer, onchainTxHandler: handler, bestBlock } = monitor;
  const line = writtenBy(trailer);
  const parameters = toParameters(trailer.parameters ?? handler.parameters, {
    channelId: trailer.channelId ?? firstChannelId(monitor.funding),
    chainHash,
    channelValueSat: readSat(monitor.channelValueSat, "channel_value_satoshis"),
    channelKeysId: Uint8Array.from(monitor.channelKeysId),
    destinationScript: Uint8Array.from(monitor.destinationScript),
    counterpartyNodeId: copied(trailer.counterpartyNodeId),
    constantsProfile: line === "0.1" || line === "0.1.6" ? "ldk_0_1" : "ldk_0_2",
    shutdownScript:
      monitor.shutdownScript.length === 0 ? undefined : copied(monitor.shutdownScript),
  });
  const holderCommitment = toHolderCommitment(handler.holderCommitment, []);
  if (
    holderCommitment.commitmentNumber !== FIRST ||
    handler.holderCommitment.commitment.htlcs.length > 0
  ) {
    fail("malformed", "monitor", "not the first monitor of its channel");
  }
  return {
    parameters,
    holderCommitment,
    counterpartyCommitment: firstCounterparty(monitor),
    pendingFundings: [],
    revokedSecrets: [],
    manualBroadcast: trailer.manualBroadcast && !trailer.fundingSeenOnchain,
    bestBlock: {
      height: blockHeight(readHeight(bestBlock.height, "best_block")),
      hash: blockHash(toHex(reversed(bestBlock.hash))),
    },
  };
}

function firstCounterparty(monitor: LdkChannelMonitor): CounterpartyCommitment {
  const { trailer, counterpartyCommitmentTxid } = monitor;
  const first = present(trailer.initialCounterpartyCommitment, "initial_counterparty_commitment");
  return {
    commitmentNumber: FIRST,
    perCommitmentPoint: Uint8Array.from(first.perCommitmentPoint),
    feeratePerKw: readFeerate(first.feeratePerKw),
    toBroadcasterSat: readSat(first.toBroadcasterSat, "to_broadcaster_value_sat"),
    toCountersignatorySat: readSat(first.toCountersignatorySat, "to_countersignatory_value_sat"),
    htlcs: [],
    txid: present(counterpartyCommitmentTxid, "current_counterparty_commitment_txid"),
  };
}

const copied = (bytes: Uint8Array | undefined): Uint8Array | undefined =>
  bytes === undefined ? undefined : Uint8Array.from(bytes);
