/**
 * Where a channel's secrets come from: derived from a node seed, or held channel by channel. A source
 * that does not know a channel says so; the first that does decides.
 */
import { expectLength } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import {
  channelMaster,
  channelSecrets,
  SEED_BYTES,
  type ChannelMaster,
  type ChannelSecrets,
} from "./derive-keys.js";

export interface KeySource {
  /** undefined: this source has no keys for that channel_keys_id. */
  secretsOf(channelKeysId: Uint8Array): ChannelSecrets | undefined;
}

/** Every channel of one LDK-compatible seed. */
export class SeedKeys implements KeySource {
  readonly #curve: Curve;
  readonly #seed: Uint8Array;
  readonly #master: ChannelMaster;

  /** Copies the seed; the caller may overwrite its own. Throws when it is not 32 bytes. */
  constructor(curve: Curve, seed: Uint8Array) {
    this.#curve = curve;
    this.#seed = Uint8Array.from(expectLength(seed, SEED_BYTES, "seed"));
    this.#master = channelMaster(curve, this.#seed);
  }

  secretsOf(channelKeysId: Uint8Array): ChannelSecrets {
    return channelSecrets(this.#curve, this.#seed, this.#master, channelKeysId);
  }
}

/** Asks one after the other: keys held for one channel come before those a seed would give. */
export const firstOf = (sources: readonly KeySource[]): KeySource => ({
  secretsOf: (channelKeysId) => {
    for (const source of sources) {
      const secrets = source.secretsOf(channelKeysId);
      if (secrets !== undefined) return secrets;
    }
    return undefined;
  },
});
