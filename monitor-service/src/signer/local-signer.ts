/**
 * ChannelSigner over secrets held in this process's memory. Secrets live in private fields only:
 * printing, inspecting or serializing the signer shows none of them. What it never does: sign a
 * commitment of ours below the floor (holder-floors.ts).
 */
import { assert, assertNever, must } from "@farwatch/protocol/assert";
import { equalBytes, expectLength, toHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { Txid } from "@farwatch/protocol/ids";
import { derivePrivateKey, deriveRevocationPrivateKey } from "@farwatch/protocol/bolt/keys";
import type { SigningKey, SigningTask } from "../monitor/effect.js";
import { CHANNEL_KEYS_ID_BYTES, fundingSecret, type ChannelSecrets } from "./derive-keys.js";
import { SigningRefused, type HolderFloors } from "./holder-floors.js";
import type { KeySource } from "./key-source.js";
import type { ChannelSigner, HostPubkeys } from "./signer.js";

/** Channels whose secrets stay derived; about 200 bytes each, a derivation costs under 1 ms. */
export const MAX_CACHED_CHANNELS = 1024;
const DIGEST_BYTES = 32;

export class LocalSigner implements ChannelSigner {
  readonly #curve: Curve;
  readonly #keys: KeySource;
  readonly #floors: Pick<HolderFloors, "floorOf">;
  /** Least recently used first. */
  readonly #cache = new Map<string, ChannelSecrets>();

  constructor(curve: Curve, keys: KeySource, floors: Pick<HolderFloors, "floorOf">) {
    this.#curve = curve;
    this.#keys = keys;
    this.#floors = floors;
  }

  pubkeys(channelKeysId: Uint8Array, spliceParent?: Txid): HostPubkeys | undefined {
    const secrets = this.#secrets(channelKeysId);
    if (secrets === undefined) return undefined;
    return {
      fundingPubkey: this.#curve.publicKey(
        fundingSecret(this.#curve, secrets.funding, spliceParent),
      ),
      revocationBasepoint: this.#curve.publicKey(secrets.revocationBase),
      paymentPoints: paymentKeys(secrets).map((secret) => this.#curve.publicKey(secret)),
      delayedPaymentBasepoint: this.#curve.publicKey(secrets.delayedPaymentBase),
      htlcBasepoint: this.#curve.publicKey(secrets.htlcBase),
    };
  }

  sign(channelKeysId: Uint8Array, tasks: readonly SigningTask[]): readonly Uint8Array[] {
    const secrets = this.#secrets(channelKeysId);
    assert(secrets !== undefined, "this host holds keys for the channel");
    for (const { key } of tasks) this.#refuseRevoked(key);
    return tasks.map(({ key, digest }) => this.#signOne(secrets, key, digest));
  }

  #signOne(secrets: ChannelSecrets, key: SigningKey, digest: Uint8Array): Uint8Array {
    expectLength(digest, DIGEST_BYTES, "digest");
    const secret = Uint8Array.from(this.#secretFor(secrets, key));
    try {
      return this.#curve.ecdsaSign(digest, secret);
    } finally {
      secret.fill(0);
    }
  }

  #refuseRevoked(key: SigningKey): void {
    if (key.kind !== "funding") return;
    const floor = this.#floors.floorOf(key.channelId);
    if (floor === undefined || key.commitmentNumber < floor) {
      throw new SigningRefused(key.commitmentNumber, floor);
    }
  }

  #secretFor(secrets: ChannelSecrets, key: SigningKey): Uint8Array {
    switch (key.kind) {
      case "funding":
      case "anchor":
        return fundingSecret(this.#curve, secrets.funding, key.spliceParent);
      case "payment":
        return must(
          paymentKeys(secrets).find((secret) =>
            equalBytes(this.#curve.publicKey(secret), key.paymentPoint),
          ),
          "a payment key of this point",
        );
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

  #secrets(channelKeysId: Uint8Array): ChannelSecrets | undefined {
    const name = toHex(expectLength(channelKeysId, CHANNEL_KEYS_ID_BYTES, "channel_keys_id"));
    const secrets = this.#cache.get(name) ?? this.#keys.secretsOf(channelKeysId);
    if (secrets === undefined) return undefined;
    this.#cache.delete(name);
    this.#cache.set(name, secrets);
    const oldest = this.#cache.keys().next();
    if (this.#cache.size > MAX_CACHED_CHANNELS && oldest.done !== true) {
      wipe(this.#cache.get(oldest.value));
      this.#cache.delete(oldest.value);
    }
    return secrets;
  }
}

/** Sources give copies, so nobody else holds these bytes. */
function wipe(secrets: ChannelSecrets | undefined): void {
  for (const secret of Object.values(secrets ?? {})) secret?.fill(0);
}

const paymentKeys = ({ payment, paymentV2 }: ChannelSecrets): readonly Uint8Array[] =>
  paymentV2 === undefined ? [payment] : [payment, paymentV2];
