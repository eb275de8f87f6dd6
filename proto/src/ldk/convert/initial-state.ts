/**
 * A channel's first state, from the first `ChannelMonitor` LDK writes for it: both sides' first
 * commitments and no HTLC yet. A monitor that has taken updates holds revoked commitments too; it cannot
 * be the start of a replay.
 */
import { blockHeight } from "../../block.js";
import { reversed, toHex } from "../../bytes.js";
import { blockHash } from "../../block.js";
import type { CounterpartyCommitment, InitialState } from "../../channel.js";
import { fail, present, readFeerate, readHeight, readSat, readWith } from "../../convert/reader.js";
import { commitmentNumber } from "../../ids.js";
import type { LdkChannelMonitor } from "../monitor.js";
import { writtenBy } from "../monitor-trailer.js";
import type { Refusal } from "../../reasons.js";
import type { Result } from "../../result.js";
import { toHolderCommitment } from "./commitment.js";
import { toParameters } from "./parameters.js";
import { firstChannelId } from "./source.js";

const FIRST = commitmentNumber(0);

export const toInitialState = (
  monitor: LdkChannelMonitor,
  chainHash: string,
): Result<InitialState, Refusal> => readWith(() => readInitialState(monitor, chainHash));

export function readInitialState(monitor: LdkChannelMonitor, chainHash: string): InitialState {
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
    userChannelId: undefined,
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
    manualBroadcast: trailer.manualBroadcast === true && trailer.fundingSeenOnchain === false,
    bestBlock: {
      height: blockHeight(readHeight(bestBlock.height, "best_block")),
      hash: blockHash(toHex(reversed(bestBlock.hash))),
    },
    ldkMonitor: undefined,
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
