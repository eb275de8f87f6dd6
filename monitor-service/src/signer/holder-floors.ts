/**
 * PORT: the lowest commitment of ours that may still be signed, per channel. Once the node was told that
 * an update with holder commitment N is durable it may reveal the secret of N-1, so that N-1 on chain
 * would cost the whole channel. The signer asks here, in durable memory apart from the store: neither a
 * mistake of the core nor a store restored from a backup gets an old commitment signed.
 */
import type { ChannelId, CommitmentNumber } from "@farwatch/protocol/ids";

export interface HolderFloor {
  readonly channelId: ChannelId;
  readonly number: CommitmentNumber;
}

export interface HolderFloors {
  /** undefined: nothing was ever told durable for the channel, so nothing is signed. */
  floorOf(channelId: ChannelId): CommitmentNumber | undefined;
  /**
   * Resolves when these, and all raised before, are durable; one below the known floor changes nothing.
   * Calls resolve in the order they were made, with nothing to raise too: commits are told in that order
   * (runtime/run-step.ts), so that a channel's durable state never goes back to an older one.
   */
  raise(floors: readonly HolderFloor[]): Promise<void>;
}

/** A commitment of ours was to be signed whose secret may be out. Nothing was signed. */
export class SigningRefused extends Error {
  override readonly name = "SigningRefused";

  constructor(
    readonly commitmentNumber: CommitmentNumber,
    readonly floor: CommitmentNumber | undefined,
  ) {
    super(`holder commitment ${commitmentNumber} is below the floor ${floor ?? "(none)"}`);
  }
}

/** Forgets with the process: for tests and tools that keep no channel. */
export class MemoryFloors implements HolderFloors {
  readonly #floors = new Map<ChannelId, CommitmentNumber>();

  floorOf(channelId: ChannelId): CommitmentNumber | undefined {
    return this.#floors.get(channelId);
  }

  /** At once, so that a synchronous caller need not wait. */
  raise(floors: readonly HolderFloor[]): Promise<void> {
    for (const { channelId, number } of floors) {
      if (number > (this.floorOf(channelId) ?? -1)) this.#floors.set(channelId, number);
    }
    return Promise.resolve();
  }
}
