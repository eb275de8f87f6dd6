/**
 * farwatch/open-session/v1: what a manager signs to open its epoch at one store of one monitor (contract
 * 2.25). The boot nonce tells two managers that took the same epoch apart.
 */
import { managerKey, monitorKey, storeId } from "../ids.js";
import type { ManagerKey, MonitorKey, StoreId } from "../ids.js";
import type { Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import { taggedHash } from "./tagged-hash.js";
import { checkBody, openBody, startBody } from "./writer.js";

export const SESSION_TAG = "farwatch/open-session/v1";
export const SESSION_BODY_BYTES = 154;

export interface SessionRequest {
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly managerKey: ManagerKey;
  readonly monitorKey: MonitorKey;
  /** From GetInfo: a re-created store refuses what was meant for the old one. */
  readonly storeId: StoreId;
  readonly epoch: bigint;
  /** 32 bytes drawn at each start of the manager. */
  readonly bootNonce: Uint8Array;
}

export const encodeSession = (session: SessionRequest): Uint8Array =>
  startBody(SESSION_BODY_BYTES)
    .hex(session.chainHash, 32)
    .hex(session.managerKey, 32)
    .hex(session.monitorKey, 32)
    .hex(session.storeId, 16)
    .u64(session.epoch)
    .bytes(session.bootNonce, 32)
    .finish();

/** Errors: wrongLength, malformed (version). */
export function parseSession(bytes: Uint8Array): Result<SessionRequest, Refusal> {
  const refusal = checkBody(bytes, SESSION_BODY_BYTES, "session");
  if (refusal !== undefined) return err(refusal);
  const reader = openBody(bytes);
  const session = {
    chainHash: reader.hex(32),
    managerKey: managerKey(reader.hex(32)),
    monitorKey: monitorKey(reader.hex(32)),
    storeId: storeId(reader.hex(16)),
    epoch: reader.u64(),
    bootNonce: reader.bytes(32),
  };
  reader.finish();
  return ok(session);
}

export const hashSession = taggedHash(SESSION_TAG);
