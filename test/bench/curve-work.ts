/**
 * What curve arithmetic alone costs for the updates at hand. Two limits: only the signatures that are
 * verified, and everything a monitor cannot avoid (BOLT 3 keys of each commitment once, revealed
 * secrets, signed receipts and events, each checked before it leaves).
 */
import { randomBytes } from "node:crypto";
import { assert } from "@farwatch/protocol/assert";
import type { ChannelPubkeys } from "@farwatch/protocol/channel";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { commitmentKeys } from "@farwatch/protocol/bolt/keys";
import { ratePerSecond } from "./clock.js";
import type { PlannedUpdate } from "./workload.js";

const LOOP_MS = 400;

/** Operations of one average update. */
export interface CurveWork {
  readonly ecdsaVerify: number;
  readonly schnorrVerify: number;
  readonly schnorrSign: number;
  /** All keys of one commitment. */
  readonly commitmentKeys: number;
  readonly publicKey: number;
}

/** Signatures given to the monitor: one of the manager a batch, those of the counterparty. */
export const signaturesOnly = (updates: readonly PlannedUpdate[], batch: number): CurveWork => ({
  ecdsaVerify: mean(updates, ({ curve }) => curve.ecdsaSignatures),
  schnorrVerify: 1 / batch,
  schnorrSign: 0,
  commitmentKeys: 0,
  publicKey: 0,
});

export function allCurveWork(updates: readonly PlannedUpdate[], batch: number): CurveWork {
  const signed = 1 / batch + mean(updates, ({ curve }) => curve.events);
  return {
    ecdsaVerify: mean(updates, ({ curve }) => curve.ecdsaSignatures),
    schnorrVerify: 1 / batch + signed,
    schnorrSign: signed,
    commitmentKeys: mean(updates, ({ curve }) => curve.commitments),
    publicKey: mean(updates, ({ curve }) => curve.secrets),
  };
}

const mean = (
  updates: readonly PlannedUpdate[],
  count: (update: PlannedUpdate) => number,
): number => updates.reduce((sum, update) => sum + count(update), 0) / updates.length;

/** Milliseconds of that work on one thread, measured operation by operation. */
export function curveMs(curve: Curve, work: CurveWork): number {
  const secret = Uint8Array.from(randomBytes(32));
  const digest = Uint8Array.from(randomBytes(32));
  const key = curve.publicKey(secret);
  const xOnly = curve.xOnlyPublicKey(secret);
  const ecdsa = curve.ecdsaSign(digest, secret);
  const schnorr = curve.schnorrSign(digest, secret, digest);
  const [holder, counterparty] = [pubkeys(curve), pubkeys(curve)];
  const operations: { readonly [Name in keyof CurveWork]: () => void } = {
    ecdsaVerify: () => assert(curve.ecdsaVerify(ecdsa, digest, key), "the signature verifies"),
    schnorrVerify: () => assert(curve.schnorrVerify(schnorr, digest, xOnly), "it verifies"),
    schnorrSign: () => void curve.schnorrSign(digest, secret, digest),
    commitmentKeys: () => void commitmentKeys(curve, holder, counterparty, key),
    publicKey: () => void curve.publicKey(secret),
  };
  const cost = (name: keyof CurveWork): number =>
    work[name] === 0 ? 0 : (work[name] * 1_000) / ratePerSecond(operations[name], LOOP_MS);
  return (
    cost("ecdsaVerify") +
    cost("schnorrVerify") +
    cost("schnorrSign") +
    cost("commitmentKeys") +
    cost("publicKey")
  );
}

function pubkeys(curve: Curve): ChannelPubkeys {
  const fresh = (): Uint8Array => curve.publicKey(Uint8Array.from(randomBytes(32)));
  return {
    fundingPubkey: fresh(),
    revocationBasepoint: fresh(),
    paymentPoint: fresh(),
    delayedPaymentBasepoint: fresh(),
    htlcBasepoint: fresh(),
  };
}
