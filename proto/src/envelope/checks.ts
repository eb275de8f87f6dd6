/**
 * The checks of a signed batch, one function each, for the order of contract 2.2: size -> header ->
 * principal -> batch signature -> epoch -> id and previous hash -> payload hash. Every check returns a
 * refusal or undefined and changes nothing.
 */
import type { Hash32, ManagerKey, MonitorKey, StoreId } from "../ids.js";
import { refuse, type Refusal } from "../reasons.js";
import { SIGNATURE_BYTES } from "./sign.js";
import { sha256Hash } from "./tagged-hash.js";
import type { PayloadDigest } from "./update.js";

/** Who calls, from the client certificate, and which network this service is on. */
export interface ManagerIdentity {
  readonly managerKey: ManagerKey;
  readonly chainHash: string;
}

/** The store that a message must be addressed to, or come from. */
export interface StoreIdentity {
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
  readonly chainHash: string;
}

/** The first refusal of several checks, run one after the other. */
export function firstRefusal(
  ...checks: readonly (() => Refusal | undefined)[]
): Refusal | undefined {
  for (const check of checks) {
    const refusal = check();
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** An empty signature is left to checkSignature, which calls it missing. */
export function checkSignatureSize(signature: Uint8Array): Refusal | undefined {
  if (signature.length === 0 || signature.length === SIGNATURE_BYTES) return undefined;
  return refuse("wrongLength", `signature: expected ${SIGNATURE_BYTES} bytes`, {
    field: "signature",
    limit: String(SIGNATURE_BYTES),
  });
}

/** The batch lists the hash of each item that came with it, no more and no fewer. */
export function checkCount(hashes: number, items: number): Refusal | undefined {
  if (hashes === items) return undefined;
  return refuse("malformed", `the batch names ${hashes} hashes for ${items} items`, {
    field: "count",
  });
}

export function checkNetwork(chainHash: string, own: string): Refusal | undefined {
  if (chainHash === own) return undefined;
  return refuse("otherNetwork", "made for another network", { chain_hash: chainHash });
}

/** Errors: otherNetwork, notYourChannel (signed in the name of another manager). */
export function checkManager(named: ManagerIdentity, who: ManagerIdentity): Refusal | undefined {
  const network = checkNetwork(named.chainHash, who.chainHash);
  if (network !== undefined || named.managerKey === who.managerKey) return network;
  return refuse("notYourChannel", "names another manager than the caller", {
    manager_key: named.managerKey,
  });
}

/** Errors: otherNetwork, otherStore. */
export function checkStore(named: StoreIdentity, own: StoreIdentity): Refusal | undefined {
  const network = checkNetwork(named.chainHash, own.chainHash);
  if (network !== undefined) return network;
  if (named.monitorKey === own.monitorKey && named.storeId === own.storeId) return undefined;
  return refuse("otherStore", "names another monitor or another store of it", {
    monitor_key: named.monitorKey,
    store_id: named.storeId,
  });
}

/** `current`: the newest epoch that an OpenSession made durable; undefined when there was none. */
export function checkEpoch(epoch: bigint, current: bigint | undefined): Refusal | undefined {
  if (current === undefined || epoch > current) {
    return refuse("sessionNotOpen", `epoch ${epoch} was not opened`, { epoch: String(epoch) });
  }
  if (epoch === current) return undefined;
  return refuse("fenced", `epoch ${epoch} is over`, { current_epoch: String(current) });
}

/** An item may be older than the batch that carries it, never newer. */
export function checkItemEpoch(itemEpoch: bigint, batchEpoch: bigint): Refusal | undefined {
  if (itemEpoch <= batchEpoch) return undefined;
  return refuse("malformed", `item of epoch ${itemEpoch} in a batch of ${batchEpoch}`, {
    field: "epoch",
  });
}

/** The item is what was signed, at the place where it was signed. */
export function checkPlace(
  hashes: readonly Hash32[],
  index: number,
  hash: Hash32,
): Refusal | undefined {
  if (hashes[index] === hash) return undefined;
  return refuse("signatureInvalid", `item ${index} is not what the batch signature covers`, {
    field: "header",
    index: String(index),
  });
}

/** Errors: wrongLength, malformed (hash). */
export function checkPayload(digest: PayloadDigest, payload: Uint8Array): Refusal | undefined {
  if (payload.length !== digest.payloadLength) {
    const expected = String(digest.payloadLength);
    return refuse("wrongLength", `payload: expected ${expected} bytes, got ${payload.length}`, {
      field: "payload",
      limit: expected,
    });
  }
  if (sha256Hash(payload) === digest.payloadSha256) return undefined;
  return refuse("malformed", "the payload is not the one its header names", { field: "payload" });
}
