/**
 * The start of every connection: who answers, and our epoch. GetInfo gives the store id that the signed
 * session must name; the pinned key is compared before anything is signed or sent (contract 2.25).
 */
import { toHex } from "@farwatch/protocol/bytes";
import {
  MAX_BATCH_ACKS,
  MAX_BATCH_PREIMAGES,
  MAX_BATCH_UPDATES,
} from "@farwatch/protocol/envelope/limits";
import type {
  Limits,
  OpenSessionResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { storeId, type StoreId } from "@farwatch/protocol/ids";
import { isHex } from "@farwatch/protocol/bytes";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { LinkOptions } from "./link-options.js";
import type { Rpc } from "./rpc.js";
import type { UpdateSigner } from "./sign-updates.js";

const STORE_ID_BYTES = 16;

export interface SessionLimits {
  /** Updates under one signature. */
  readonly maxBatchUpdates: number;
  /** Updates without a receipt or refusal. */
  readonly maxUpdatesInFlight: number;
  readonly maxPreimageBatch: number;
  readonly maxAckBatch: number;
}

export interface Session {
  readonly storeId: StoreId;
  readonly tipHeight: number | undefined;
  readonly limits: SessionLimits;
}

/** Throws ConnectionLost when nobody answers. Errors: the monitor's, otherStore, otherNetwork. */
export async function openSession(
  options: LinkOptions,
  signer: UpdateSigner,
  rpc: Rpc,
): Promise<Result<Session, Refusal>> {
  const info = await rpc.getInfo();
  if (!info.ok) return info;
  const peer = info.value;
  const wrong = checkPeer(options, peer.monitorKey, peer.chainHash);
  if (wrong !== undefined) return err(wrong);
  const store = toHex(peer.storeId);
  if (!isHex(store, STORE_ID_BYTES)) return err(refuse("malformed", "store id is not 16 bytes"));
  const request = signer.session(options.monitorKey, storeId(store));
  const opened = await rpc.openSession(request);
  if (!opened.ok) return err(explainFence(opened.error, options.epoch));
  if (!confirms(opened.value, options, store)) {
    return err(refuse("otherStore", "the session was opened at another store or epoch"));
  }
  return ok({
    storeId: storeId(store),
    tipHeight: peer.tip?.height,
    limits: limitsOf(opened.value.limits),
  });
}

function checkPeer(
  { monitorKey, chainHash }: LinkOptions,
  foundKey: Uint8Array,
  foundChain: Uint8Array,
): Refusal | undefined {
  const found = toHex(foundKey);
  if (found !== monitorKey) {
    return refuse("otherStore", "the monitor at this address has another key than configured", {
      monitor_key: found,
      expected: monitorKey,
    });
  }
  if (toHex(foundChain) === chainHash) return undefined;
  return refuse("otherNetwork", "the monitor is on another network", {
    chain_hash: toHex(foundChain),
  });
}

/** Another process with our key has been here, or our database is an older copy: both count epochs. */
function explainFence(refusal: Refusal, own: bigint): Refusal {
  const current = refusal.details["current_epoch"];
  if (refusal.reason !== "fenced" || current === undefined) return refusal;
  const text =
    `${refusal.message}: the monitor serves epoch ${current} of this manager and ours is ${own}; a newer ` +
    `process of this manager runs, or this manager's database is an older copy`;
  return { ...refusal, message: text };
}

const confirms = (
  reply: OpenSessionResponse,
  { monitorKey, epoch }: LinkOptions,
  store: string,
): boolean =>
  toHex(reply.monitorKey) === monitorKey && toHex(reply.storeId) === store && reply.epoch === epoch;

/** A limit the monitor does not name is our own; ours also bound what it names. */
export function limitsOf(limits: Limits | undefined): SessionLimits {
  const named = (value: number | undefined, own: number): number =>
    value === undefined || value === 0 ? own : value;
  const bounded = (value: number | undefined, own: number): number =>
    Math.min(named(value, own), own);
  return {
    maxBatchUpdates: bounded(limits?.maxBatchUpdates, MAX_BATCH_UPDATES),
    maxUpdatesInFlight: named(limits?.maxUpdatesInFlight, MAX_BATCH_UPDATES),
    maxPreimageBatch: bounded(limits?.maxPreimageBatch, MAX_BATCH_PREIMAGES),
    maxAckBatch: bounded(limits?.maxAckBatch, MAX_BATCH_ACKS),
  };
}
