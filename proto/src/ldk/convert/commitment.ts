/**
 * LDK's commitments in our words. LDK counts commitments DOWN from 2^48-1 (BOLT 3's index), we count up
 * from 0; `offered` is by the broadcaster in both. HTLCs carry no id in LDK's bytes.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, utf8 } from "../../bytes.js";
import type { CommitmentHtlc, CounterpartyCommitment, HolderCommitment } from "../../channel.js";
import { fail, readFeerate, readHeight, readMsat, readSat } from "../../convert/reader.js";
import {
  commitmentNumber,
  htlcId,
  type CommitmentNumber,
  type HtlcId,
  type Outpoint,
} from "../../ids.js";
import { MAX_HTLCS_PER_SIDE } from "../../convert/limits.js";
import type { LdkCommitment, LdkHolderCommitment, LdkHtlc, SourcedHtlc } from "../commitment.js";
import type { RawHtlcSource } from "../htlc-source.js";
import { firstInputOf } from "../transaction.js";
import { toSource } from "./source.js";

const FIRST_INDEX = 2n ** 48n - 1n;

export function toCommitmentNumber(index: bigint): CommitmentNumber {
  return index > FIRST_INDEX
    ? fail("rangeExceeded", "commitment_number", "not a commitment index")
    : commitmentNumber(FIRST_INDEX - index);
}

/**
 * The counterparty and we agree on an HTLC's id, LDK's monitor is not told it. Whatever stands in for it
 * must stay with the HTLC from commitment to commitment and differ from its twin's: the hash of all that
 * distinguishes it, with a count among HTLCs that look the same. `outbound` is seen by us.
 */
function syntheticId({ htlc, source }: SourcedHtlc, outbound: boolean, twin: number): HtlcId {
  const name = [outbound, htlc.paymentHash, htlc.amountMsat, htlc.cltvExpiry, twin].join(":");
  const digest = sha256(concatBytes(utf8(name), source?.raw ?? new Uint8Array(0)));
  return htlcId(new DataView(digest.buffer).getBigUint64(0));
}

type Broadcaster = "holder" | "counterparty";

/** Each HTLC in our words. Those that we sent need a source. */
export const toHtlcs = (
  htlcs: readonly SourcedHtlc[],
  broadcaster: Broadcaster,
): readonly CommitmentHtlc[] =>
  named(htlcs, broadcaster).map(({ sourced, outbound, htlc }) => {
    const { source } = sourced;
    if (outbound && source === undefined) {
      fail("malformed", "htlcs", "an HTLC that we sent has no source");
    }
    return source === undefined || !outbound ? htlc : { ...htlc, source: toSource(source) };
  });

/** As LDK lists those of a revoked commitment, or of a splice: no source says where one came from. */
export const toHtlcsWithoutSources = (
  htlcs: readonly LdkHtlc[],
  broadcaster: Broadcaster,
): readonly CommitmentHtlc[] =>
  named(
    htlcs.map((htlc) => ({ htlc, source: undefined })),
    broadcaster,
  ).map(({ htlc }) => htlc);

function named(htlcs: readonly SourcedHtlc[], broadcaster: Broadcaster) {
  for (const offered of [true, false]) {
    if (htlcs.filter(({ htlc }) => htlc.offered === offered).length > MAX_HTLCS_PER_SIDE) {
      fail("tooLarge", "htlcs", `more than ${MAX_HTLCS_PER_SIDE} HTLCs in one direction`);
    }
  }
  const seen = new Map<HtlcId, number>();
  return htlcs.map((sourced) => {
    const { htlc } = sourced;
    const outbound = htlc.offered === (broadcaster === "holder");
    const first = syntheticId(sourced, outbound, 0);
    const twin = seen.get(first) ?? 0;
    seen.set(first, twin + 1);
    const named: CommitmentHtlc = {
      htlcId: twin === 0 ? first : syntheticId(sourced, outbound, twin),
      offered: htlc.offered,
      amountMsat: readMsat(htlc.amountMsat, "amount_msat"),
      cltvExpiry: readHeight(htlc.cltvExpiry, "cltv_expiry"),
      paymentHash: htlc.paymentHash,
      outputIndex: htlc.outputIndex,
      source: undefined,
    };
    return { sourced, outbound, htlc: named };
  });
}

/**
 * HTLCs of a commitment that lists those with an output itself: sources are kept apart, for the HTLCs
 * that we sent, in the order of their outputs (LDK 0.2 and later).
 */
export function withSources(
  { htlcs }: Pick<LdkCommitment, "htlcs">,
  sources: readonly RawHtlcSource[],
  broadcaster: Broadcaster,
): readonly SourcedHtlc[] {
  const next = sources[Symbol.iterator]();
  const sourced = htlcs.map((htlc) => {
    const outbound = htlc.offered === (broadcaster === "holder");
    return { htlc, source: outbound ? next.next().value : undefined };
  });
  if (next.next().done !== true) {
    fail("malformed", "nondust_htlc_sources", "more sources than HTLCs that we sent");
  }
  return sourced;
}

export const toHolderCommitment = (
  { commitment, counterpartySignature, counterpartyHtlcSignatures }: LdkHolderCommitment,
  htlcs: readonly CommitmentHtlc[],
): HolderCommitment => ({
  commitmentNumber: toCommitmentNumber(commitment.commitmentNumber),
  perCommitmentPoint: Uint8Array.from(commitment.keys.perCommitmentPoint),
  feeratePerKw: readFeerate(commitment.feeratePerKw),
  toLocalSat: readSat(commitment.toBroadcasterSat, "to_broadcaster_value_sat"),
  toRemoteSat: readSat(commitment.toCountersignatorySat, "to_countersignatory_value_sat"),
  htlcs,
  counterpartySignature: Uint8Array.from(counterpartySignature),
  counterpartyHtlcSignatures: counterpartyHtlcSignatures.map((bytes) => Uint8Array.from(bytes)),
  txid: commitment.built.txid,
});

export const toCounterpartyCommitment = (
  commitment: LdkCommitment,
  htlcs: readonly CommitmentHtlc[],
): CounterpartyCommitment => ({
  commitmentNumber: toCommitmentNumber(commitment.commitmentNumber),
  perCommitmentPoint: Uint8Array.from(commitment.keys.perCommitmentPoint),
  feeratePerKw: readFeerate(commitment.feeratePerKw),
  toBroadcasterSat: readSat(commitment.toBroadcasterSat, "to_broadcaster_value_sat"),
  toCountersignatorySat: readSat(commitment.toCountersignatorySat, "to_countersignatory_value_sat"),
  htlcs,
  txid: commitment.built.txid,
});

/**
 * The HTLCs of a commitment on another funding: the same ones, at other outputs or trimmed. LDK gives
 * neither their sources nor the dust again; `current` has both, or nobody asks for them.
 */
export function onNewFunding(
  current: readonly CommitmentHtlc[] | undefined,
  { htlcs }: Pick<LdkCommitment, "htlcs">,
  broadcaster: Broadcaster,
): readonly CommitmentHtlc[] {
  if (current === undefined) return toHtlcsWithoutSources(htlcs, broadcaster);
  const left = [...htlcs];
  const placed = current.map((htlc): CommitmentHtlc => {
    const at = left.findIndex((ldk) => isSame(ldk, htlc));
    const [found] = at < 0 ? [] : left.splice(at, 1);
    return { ...htlc, outputIndex: found?.outputIndex };
  });
  return left.length === 0
    ? placed
    : fail("malformed", "htlcs", "an HTLC the channel does not have");
}

const isSame = (ldk: LdkCommitment["htlcs"][number], htlc: CommitmentHtlc): boolean =>
  ldk.offered === htlc.offered &&
  ldk.paymentHash === htlc.paymentHash &&
  ldk.amountMsat === htlc.amountMsat &&
  ldk.cltvExpiry === htlc.cltvExpiry;

/** The funding output a commitment spends. */
export const fundingOf = ({ built }: LdkCommitment): Outpoint =>
  firstInputOf(built.transaction) ?? fail("malformed", "built", "a commitment without an input");
