/**
 * ChannelSigner over a node seed held in this process's memory. Secrets live in private fields only:
 * printing, inspecting or serializing the signer shows none of them.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { expectLength, toHex } from "@farwatch/protocol/bytes";
import type { ChannelPubkeys } from "@farwatch/protocol/channel";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { Txid } from "@farwatch/protocol/ids";
import { derivePrivateKey, deriveRevocationPrivateKey } from "../bolt/keys.js";
import type { SigningKey, SigningTask } from "../monitor/effect.js";
import {
  channelMaster,
  channelSecrets,
  fundingSecret,
  SEED_BYTES,
  type ChannelSecrets,
  type ExtendedSecret,
} from "./derive-keys.js";
import type { ChannelSigner } from "./signer.js";

/** Channels whose secrets stay derived; about 200 bytes each, a derivation costs under 1 ms. */
export const MAX_CACHED_CHANNELS = 1024;
const DIGEST_BYTES = 32;

export class LocalSigner implements ChannelSigner {
  readonly #curve: Curve;
  readonly #seed: Uint8Array;
  readonly #master: ExtendedSecret;
  /** Least recently used first. */
  readonly #cache = new Map<string, ChannelSecrets>();

  /** Copies the seed; the caller may overwrite its own. Throws when it is not 32 bytes. */
  constructor(curve: Curve, seed: Uint8Array) {
    this.#curve = curve;
    this.#seed = Uint8Array.from(expectLength(seed, SEED_BYTES, "seed"));
    this.#master = channelMaster(curve, this.#seed);
  }

  pubkeys(channelKeysId: Uint8Array, spliceParent?: Txid): ChannelPubkeys {
    const secrets = this.#secrets(channelKeysId);
    return {
      fundingPubkey: this.#curve.publicKey(
        fundingSecret(this.#curve, secrets.funding, spliceParent),
      ),
      revocationBasepoint: this.#curve.publicKey(secrets.revocationBase),
      paymentPoint: this.#curve.publicKey(secrets.payment),
      delayedPaymentBasepoint: this.#curve.publicKey(secrets.delayedPaymentBase),
      htlcBasepoint: this.#curve.publicKey(secrets.htlcBase),
    };
  }

  sign(channelKeysId: Uint8Array, tasks: readonly SigningTask[]): readonly Uint8Array[] {
    const secrets = this.#secrets(channelKeysId);
    return tasks.map(({ key, digest }) =>
      this.#curve.ecdsaSign(
        expectLength(digest, DIGEST_BYTES, "digest"),
        this.#secretFor(secrets, key),
      ),
    );
  }

  #secretFor(secrets: ChannelSecrets, key: SigningKey): Uint8Array {
    switch (key.kind) {
      case "funding":
        return fundingSecret(this.#curve, secrets.funding, key.spliceParent);
      case "payment":
        return secrets.payment;
      case "delayed":
        return derivePrivateKey(this.#curve, secrets.delayedPaymentBase, key.perCommitmentPoint);
      case "htlc":
        return derivePrivateKey(this.#curve, secrets.htlcBase, key.perCommitmentPoint);
      case "revocation":
        return deriveRevocationPrivateKey(
          this.#curve,
          secrets.revocationBase,
          key.perCommitmentSecret,
        );
      default:
        return assertNever(key);
    }
  }

  #secrets(channelKeysId: Uint8Array): ChannelSecrets {
    const name = toHex(channelKeysId);
    const cached = this.#cache.get(name);
    const secrets = cached ?? channelSecrets(this.#curve, this.#seed, this.#master, channelKeysId);
    this.#cache.delete(name);
    this.#cache.set(name, secrets);
    const oldest = this.#cache.keys().next();
    if (this.#cache.size > MAX_CACHED_CHANNELS && oldest.done !== true) {
      this.#cache.delete(oldest.value);
    }
    return secrets;
  }
}
