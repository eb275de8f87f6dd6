/**
 * Keys of one commitment, from the basepoints of both sides and a per-commitment point (BOLT 3,
 * "Key Derivation"). The payment key is not tweaked: every supported type has
 * option_static_remotekey. Points must be valid: callers check `curve.isPoint` where bytes enter.
 * Secrets never reach an error.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { must } from "../assert.js";
import { concatBytes } from "../bytes.js";
import type { ChannelPubkeys } from "../channel.js";
import type { Curve } from "../curve/curve.js";

export type { ChannelPubkeys } from "../channel.js";

/** What the scripts of one commitment contain; 33 bytes each. */
export interface CommitmentKeys {
  readonly perCommitmentPoint: Uint8Array;
  readonly revocationPubkey: Uint8Array;
  readonly broadcasterDelayedPubkey: Uint8Array;
  readonly broadcasterHtlcPubkey: Uint8Array;
  readonly countersignatoryHtlcPubkey: Uint8Array;
  readonly countersignatoryPaymentPoint: Uint8Array;
}

/** Keys of the commitment that `broadcaster` can publish and `countersignatory` has signed. */
export function commitmentKeys(
  curve: Curve,
  broadcaster: ChannelPubkeys,
  countersignatory: ChannelPubkeys,
  perCommitmentPoint: Uint8Array,
): CommitmentKeys {
  const derive = (basepoint: Uint8Array): Uint8Array =>
    derivePublicKey(curve, basepoint, perCommitmentPoint);
  return {
    perCommitmentPoint,
    revocationPubkey: deriveRevocationPublicKey(
      curve,
      countersignatory.revocationBasepoint,
      perCommitmentPoint,
    ),
    broadcasterDelayedPubkey: derive(broadcaster.delayedPaymentBasepoint),
    broadcasterHtlcPubkey: derive(broadcaster.htlcBasepoint),
    countersignatoryHtlcPubkey: derive(countersignatory.htlcBasepoint),
    countersignatoryPaymentPoint: countersignatory.paymentPoint,
  };
}

/** basepoint + SHA256(per_commitment_point || basepoint) * G; for delayed and HTLC keys. */
export function derivePublicKey(
  curve: Curve,
  basepoint: Uint8Array,
  perCommitmentPoint: Uint8Array,
): Uint8Array {
  const tweak = hashOf(perCommitmentPoint, basepoint);
  return must(curve.pointAddScalar(basepoint, tweak), "derived public key");
}

/** Secret of `derivePublicKey`, from the secret of the basepoint. */
export function derivePrivateKey(
  curve: Curve,
  baseSecret: Uint8Array,
  perCommitmentPoint: Uint8Array,
): Uint8Array {
  const tweak = hashOf(perCommitmentPoint, curve.publicKey(baseSecret));
  return must(curve.secretAdd(baseSecret, tweak), "derived private key");
}

/**
 * Key that spends revoked outputs; only its owner and the counterparty's secret together make it.
 */
export function deriveRevocationPublicKey(
  curve: Curve,
  revocationBasepoint: Uint8Array,
  perCommitmentPoint: Uint8Array,
): Uint8Array {
  const ours = curve.pointMultiply(
    revocationBasepoint,
    hashOf(revocationBasepoint, perCommitmentPoint),
  );
  const theirs = curve.pointMultiply(
    perCommitmentPoint,
    hashOf(perCommitmentPoint, revocationBasepoint),
  );
  const sum = curve.pointAdd(
    must(ours, "revocation basepoint part"),
    must(theirs, "per-commitment point part"),
  );
  return must(sum, "revocation public key");
}

/** Secret of `deriveRevocationPublicKey`, once the per-commitment secret is revealed. */
export function deriveRevocationPrivateKey(
  curve: Curve,
  revocationBaseSecret: Uint8Array,
  perCommitmentSecret: Uint8Array,
): Uint8Array {
  const revocationBasepoint = curve.publicKey(revocationBaseSecret);
  const perCommitmentPoint = curve.publicKey(perCommitmentSecret);
  const sum = curve.secretAdd(
    curve.secretMultiply(revocationBaseSecret, hashOf(revocationBasepoint, perCommitmentPoint)),
    curve.secretMultiply(perCommitmentSecret, hashOf(perCommitmentPoint, revocationBasepoint)),
  );
  return must(sum, "revocation private key");
}

const hashOf = (first: Uint8Array, second: Uint8Array): Uint8Array =>
  sha256(concatBytes(first, second));
