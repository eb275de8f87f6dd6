/**
 * Channel secrets from a node seed, as LDK's KeysManager derives them: BIP 32 hardened children of the
 * seed, then a chain of SHA-256 per channel_keys_id. A host with the node's seed file can then sign for
 * every channel of that node without ever being sent a key. From LDK 0.2 on a node may take the payment
 * key from a set of 1,000 that need no channel data to be found again (`v2_remote_key_derivation`).
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { must } from "@farwatch/protocol/assert";
import { concatBytes, expectLength, utf8 } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { txidToInternal, type Txid } from "@farwatch/protocol/ids";

export const SEED_BYTES = 32;
export const CHANNEL_KEYS_ID_BYTES = 32;
/** Hardened child of the master key under which LDK derives channel keys. */
const CHANNEL_MASTER_CHILD = 3;
/** Hardened child under which LDK 0.2 derives static payment keys. */
const STATIC_PAYMENT_CHILD = 8;
/** LDK `STATIC_PAYMENT_KEY_COUNT`: few enough to scan for, so that a lost node finds its to_remote outputs. */
const STATIC_PAYMENT_KEY_COUNT = 1000n;
const HARDENED = 0x80000000;

export interface ExtendedSecret {
  readonly secret: Uint8Array;
  readonly chainCode: Uint8Array;
}

/** Secrets of one channel, 32 bytes each. Never leave the signer folder. */
export interface ChannelSecrets {
  readonly funding: Uint8Array;
  readonly revocationBase: Uint8Array;
  readonly payment: Uint8Array;
  /** The other key that the channel's payment point may stand for (LDK 0.2); undefined: there is none. */
  readonly paymentV2: Uint8Array | undefined;
  readonly delayedPaymentBase: Uint8Array;
  readonly htlcBase: Uint8Array;
}

const split = (bytes: Uint8Array): readonly [Uint8Array, Uint8Array] => [
  bytes.slice(0, 32),
  bytes.slice(32),
];

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** BIP 32 master key of a seed. */
export function masterSecret(seed: Uint8Array): ExtendedSecret {
  const [secret, chainCode] = split(hmac(sha512, utf8("Bitcoin seed"), seed));
  return { secret, chainCode };
}

/** BIP 32 CKDpriv for a hardened child; `index` below 2^31. */
export function hardenedChild(curve: Curve, parent: ExtendedSecret, index: number): ExtendedSecret {
  const data = concatBytes(Uint8Array.of(0), parent.secret, u32((HARDENED + index) >>> 0));
  const [tweak, chainCode] = split(hmac(sha512, parent.chainCode, data));
  return { secret: must(curve.secretAdd(parent.secret, tweak), "child key"), chainCode };
}

/** The keys under which all channels of a seed are derived. */
export interface ChannelMaster {
  readonly channels: ExtendedSecret;
  readonly staticPayments: ExtendedSecret;
}

export function channelMaster(curve: Curve, seed: Uint8Array): ChannelMaster {
  const master = masterSecret(expectLength(seed, SEED_BYTES, "seed"));
  return {
    channels: hardenedChild(curve, master, CHANNEL_MASTER_CHILD),
    staticPayments: hardenedChild(curve, master, STATIC_PAYMENT_CHILD),
  };
}

/** All secrets of one channel. LDK: the low 31 bits of the id's first eight bytes pick the child. */
export function channelSecrets(
  curve: Curve,
  seed: Uint8Array,
  master: ChannelMaster,
  channelKeysId: Uint8Array,
): ChannelSecrets {
  expectLength(channelKeysId, CHANNEL_KEYS_ID_BYTES, "channel_keys_id");
  const view = new DataView(channelKeysId.buffer, channelKeysId.byteOffset);
  const child = hardenedChild(curve, master.channels, view.getUint32(4) % HARDENED);
  const unique = sha256(concatBytes(channelKeysId, seed, child.secret));
  const commitmentSeed = sha256(concatBytes(unique, utf8("commitment seed")));
  let previous = commitmentSeed;
  const next = (label: string): Uint8Array =>
    (previous = sha256(concatBytes(unique, previous, utf8(label))));
  const funding = next("funding key");
  const revocationBase = next("revocation base key");
  const payment = next("payment key");
  const delayedPaymentBase = next("delayed payment base key");
  const htlcBase = next("HTLC base key");
  const paymentV2 = staticPayment(curve, master, commitmentSeed);
  return { funding, revocationBase, payment, paymentV2, delayedPaymentBase, htlcBase };
}

/** LDK 0.2: the first eight bytes of the commitment seed, little-endian, pick one of the keys. */
function staticPayment(
  curve: Curve,
  { staticPayments }: ChannelMaster,
  commitmentSeed: Uint8Array,
): Uint8Array {
  const picked = new DataView(commitmentSeed.buffer, commitmentSeed.byteOffset).getBigUint64(
    0,
    true,
  );
  return hardenedChild(curve, staticPayments, Number(picked % STATIC_PAYMENT_KEY_COUNT)).secret;
}

/**
 * The funding key of a splice: base + SHA256(parent funding txid, as in transactions | base), which only
 * the holder can know (LDK `compute_funding_key_tweak`). Without a parent: the base key.
 */
export function fundingSecret(
  curve: Curve,
  base: Uint8Array,
  spliceParent: Txid | undefined,
): Uint8Array {
  if (spliceParent === undefined) return base;
  const tweak = sha256(concatBytes(txidToInternal(spliceParent), base));
  return must(curve.secretAdd(base, tweak), "funding key of a splice");
}
