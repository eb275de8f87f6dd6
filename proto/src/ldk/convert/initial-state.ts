/**
 * A channel's first state here, from LDK's `ChannelMonitor`: a new one's, or that of a channel in use. What
 * LDK does not keep is worked out and checked (counterparty-values.ts); what cannot be taken over as it is,
 * above all a channel that is closing, is refused with its cause. Pure: the same bytes, the same state.
 */
import { blockHash, blockHeight } from "../../block.js";
import { reversed, toHex } from "../../bytes.js";
import type { InitialState, RevokedSecret } from "../../channel.js";
import { fail, optional, readHeight, readSat, readWith } from "../../convert/reader.js";
import type { Curve } from "../../curve/curve.js";
import { perCommitmentSecret } from "../../ids.js";
import type { Refusal } from "../../reasons.js";
import type { Result } from "../../result.js";
import type { LdkChannelMonitor } from "../monitor.js";
import { writtenBy } from "../monitor-trailer.js";
import { toCommitmentNumber } from "./commitment.js";
import { earlierState } from "./earlier-state.js";
import { fundingScopes } from "./funding-scopes.js";
import { failImport } from "./not-importable.js";
import type { ChannelContext } from "./parameters.js";
import { firstChannelId, userChannelIdOf } from "./source.js";

/** Index of an empty place among LDK's 49 secrets. */
const EMPTY_SLOT = 2n ** 48n;

export const toInitialState = (
  monitor: LdkChannelMonitor,
  chainHash: string,
  curve: Curve,
): Result<InitialState, Refusal> => readWith(() => readInitialState(monitor, chainHash, curve));

export function readInitialState(
  monitor: LdkChannelMonitor,
  chainHash: string,
  curve: Curve,
): InitialState {
  refuseUnfit(monitor);
  const { trailer, bestBlock } = monitor;
  const { locked, pending } = fundingScopes(monitor, contextOf(monitor, chainHash), curve);
  return {
    ...locked.now,
    pendingFundings: pending.map(({ now }) => now),
    revokedSecrets: revokedSecrets(monitor),
    manualBroadcast: trailer.manualBroadcast === true && trailer.fundingSeenOnchain === false,
    bestBlock: {
      height: blockHeight(readHeight(bestBlock.height, "best_block")),
      hash: blockHash(toHex(reversed(bestBlock.hash))),
    },
    ldkMonitor: undefined,
    earlier: earlierState(monitor, locked, pending),
  };
}

/** Its own monitor has to finish a close: claims with their fees, and what was told, stand nowhere else. */
function refuseUnfit(monitor: LdkChannelMonitor): void {
  const { trailer, waitingFacts } = monitor;
  const isClosing =
    trailer.fundingSpendSeen === true ||
    trailer.fundingSpendConfirmed !== undefined ||
    monitor.lockdownFromOffchain ||
    monitor.holderTxSigned ||
    monitor.counterpartyCommitmentsOnChain.length > 0 ||
    waitingFacts.some(({ event }) => event.kind === "fundingSpendConfirmation");
  if (isClosing)
    failImport("closing", "the channel is closing: its own monitor has to finish that");
  if (trailer.alternativeFundingConfirmed !== undefined) {
    failImport("spliceConfirmed", "a splice has confirmed and is not locked: import it after that");
  }
}

function contextOf(monitor: LdkChannelMonitor, chainHash: string): ChannelContext {
  const { trailer, shutdownScript } = monitor;
  const line = writtenBy(trailer);
  return {
    channelId: trailer.channelId ?? firstChannelId(monitor.funding),
    chainHash,
    channelValueSat: readSat(monitor.channelValueSat, "channel_value_satoshis"),
    channelKeysId: Uint8Array.from(monitor.channelKeysId),
    destinationScript: Uint8Array.from(monitor.destinationScript),
    counterpartyNodeId:
      trailer.counterpartyNodeId === undefined
        ? undefined
        : Uint8Array.from(trailer.counterpartyNodeId),
    constantsProfile: line === "0.1" || line === "0.1.6" ? "ldk_0_1" : "ldk_0_2",
    userChannelId: optional(trailer.userChannelId, userChannelIdOf),
    shutdownScript: shutdownScript.length === 0 ? undefined : Uint8Array.from(shutdownScript),
  };
}

/** By rising number, which is by falling index. */
function revokedSecrets({ commitmentSecrets }: LdkChannelMonitor): readonly RevokedSecret[] {
  const kept = commitmentSecrets.filter(({ index }) => index !== EMPTY_SLOT);
  if (kept.some(({ index }) => index > EMPTY_SLOT)) {
    fail("malformed", "commitment_secrets", "not a commitment index");
  }
  return kept
    .map(({ secret, index }) => ({
      commitmentNumber: toCommitmentNumber(index),
      secret: perCommitmentSecret(Uint8Array.from(secret)),
    }))
    .sort((a, b) => a.commitmentNumber - b.commitmentNumber);
}
