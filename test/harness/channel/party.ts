/**
 * One side of a channel with all its secrets: LDK's keys of a seed and a channel_keys_id (BOLT 3, "Key
 * Derivation"; onchain-engine 2.4), so that a monitor on a host with the same seed file derives the
 * same ones. Signs like a node does; nothing here is meant for real funds.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { assertNever, must } from "@farwatch/protocol/assert";
import { concatBytes, utf8 } from "@farwatch/protocol/bytes";
import type { ChannelPubkeys } from "@farwatch/protocol/channel";
import type { Curve } from "@farwatch/protocol/curve/curve";
import {
  commitmentNumber,
  perCommitmentSecret,
  type CommitmentNumber,
  type PerCommitmentSecret,
} from "@farwatch/protocol/ids";
import { commitmentIndex } from "@farwatch/protocol/bolt/commitment-number";
import { derivePrivateKey } from "@farwatch/protocol/bolt/keys";
import { secretFromSeed } from "@farwatch/monitor-service/bolt/per-commitment-secrets";
import { p2wpkh } from "@farwatch/protocol/bolt/scripts";
import {
  channelMaster,
  channelSecrets,
  hardenedChild,
  masterSecret,
  type ChannelSecrets,
} from "@farwatch/monitor-service/signer/derive-keys";

/** Hardened children of the master key: node id, and LDK's destination of sweeps. */
const NODE_CHILD = 0;
const DESTINATION_CHILD = 1;
/** Children per level of BIP 32 that are hardened. */
const HARDENED_CHILDREN = 2 ** 31;

/** "delayed" and "htlc" are tweaked with the point of the commitment that is spent. */
export type PartyKey =
  | { readonly kind: "funding" | "payment" }
  | { readonly kind: "delayed" | "htlc"; readonly perCommitmentPoint: Uint8Array };

export interface PartySecrets extends Omit<ChannelSecrets, "paymentV2"> {
  /** Secret of each of this side's own commitments, revealed when it is revoked. */
  readonly perCommitment: (number: CommitmentNumber) => PerCommitmentSecret;
}

/** "v2": one of the static keys a node of LDK 0.2 may be set up to use. */
export type PaymentKeyVersion = "v1" | "v2";

/** Identity a node has beyond one channel. */
export interface NodeIdentity {
  readonly nodeId: Uint8Array;
  readonly destinationScript: Uint8Array;
}

export class Party {
  readonly pubkeys: ChannelPubkeys;
  readonly #points = new Map<CommitmentNumber, Uint8Array>();

  constructor(
    readonly curve: Curve,
    readonly channelKeysId: Uint8Array,
    readonly identity: NodeIdentity,
    readonly secrets: PartySecrets,
  ) {
    this.pubkeys = {
      fundingPubkey: curve.publicKey(secrets.funding),
      revocationBasepoint: curve.publicKey(secrets.revocationBase),
      paymentPoint: curve.publicKey(secrets.payment),
      delayedPaymentBasepoint: curve.publicKey(secrets.delayedPaymentBase),
      htlcBasepoint: curve.publicKey(secrets.htlcBase),
    };
  }

  /** Point of this side's own commitment `number`. */
  perCommitmentPoint(number: CommitmentNumber | number): Uint8Array {
    const key = commitmentNumber(number);
    const known = this.#points.get(key);
    if (known !== undefined) return known;
    const point = this.curve.publicKey(this.secrets.perCommitment(key));
    this.#points.set(key, point);
    return point;
  }

  /** 64-byte compact signature of a 32-byte digest. */
  sign(key: PartyKey, digest: Uint8Array): Uint8Array {
    return this.curve.ecdsaSign(digest, this.#secretOf(key));
  }

  #secretOf(key: PartyKey): Uint8Array {
    const { secrets, curve } = this;
    switch (key.kind) {
      case "funding":
        return secrets.funding;
      case "payment":
        return secrets.payment;
      case "delayed":
        return derivePrivateKey(curve, secrets.delayedPaymentBase, key.perCommitmentPoint);
      case "htlc":
        return derivePrivateKey(curve, secrets.htlcBase, key.perCommitmentPoint);
      default:
        return assertNever(key);
    }
  }
}

/** The side that LDK's KeysManager would be with this 32-byte seed and 32-byte channel_keys_id. */
export function partyOfSeed(
  curve: Curve,
  seed: Uint8Array,
  channelKeysId: Uint8Array,
  paymentKey: PaymentKeyVersion = "v1",
): Party {
  const master = channelMaster(curve, seed);
  const commitmentSeed = commitmentSeedOf(curve, seed, channelKeysId);
  const { paymentV2, ...secrets } = channelSecrets(curve, seed, master, channelKeysId);
  return new Party(curve, channelKeysId, identityOfSeed(curve, seed), {
    ...secrets,
    payment: paymentKey === "v1" ? secrets.payment : must(paymentV2, "a second payment key"),
    perCommitment: perCommitmentSecrets(commitmentSeed),
  });
}

/** Secrets of all commitments of the owner of a 32-byte seed (BOLT 3 `generate_from_seed`). */
export const perCommitmentSecrets =
  (commitmentSeed: Uint8Array): PartySecrets["perCommitment"] =>
  (number) =>
    perCommitmentSecret(secretFromSeed(commitmentSeed, commitmentIndex(number)));

/** The first link of LDK's chain of channel secrets; only a node needs it, a monitor never. */
function commitmentSeedOf(curve: Curve, seed: Uint8Array, channelKeysId: Uint8Array): Uint8Array {
  const low = new DataView(channelKeysId.buffer, channelKeysId.byteOffset).getUint32(4);
  const child = hardenedChild(curve, channelMaster(curve, seed).channels, low % HARDENED_CHILDREN);
  const unique = sha256(concatBytes(channelKeysId, seed, child.secret));
  return sha256(concatBytes(unique, utf8("commitment seed")));
}

export function identityOfSeed(curve: Curve, seed: Uint8Array): NodeIdentity {
  const master = masterSecret(seed);
  const publicChild = (index: number): Uint8Array =>
    curve.publicKey(hardenedChild(curve, master, index).secret);
  return {
    nodeId: publicChild(NODE_CHILD),
    destinationScript: p2wpkh(publicChild(DESTINATION_CHILD)),
  };
}
