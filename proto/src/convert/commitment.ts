/**
 * Commitments of both sides <-> wire. Which HTLCs are outbound depends on whose commitment it is:
 * `offered` is seen by its broadcaster (contract 2.26). Outbound ones carry a source, inbound ones none.
 */
import type { CommitmentHtlc, CounterpartyCommitment, HolderCommitment } from "../channel.js";
import { fromHex } from "../bytes.js";
import {
  commitmentNumber,
  htlcId,
  paymentHash,
  txidFromInternal,
  txidToInternal,
  type CommitmentNumber,
} from "../ids.js";
import type * as wire from "../../gen/monitor/v1/channel.js";
import { MAX_COMMITMENT_NUMBER, MAX_HTLCS_PER_SIDE } from "./limits.js";
import { fail, fixed, fixedHex, readFeerate, readHeight, readMsat, readSat } from "./reader.js";
import { readSource, writeSource } from "./source.js";

type Side = "holder" | "counterparty";

const SIGNATURE_BYTES = 64;
const POINT_BYTES = 33;

export const readNumber = (value: bigint, field: string): CommitmentNumber =>
  value > MAX_COMMITMENT_NUMBER
    ? fail("rangeExceeded", field, "more than 48 bits")
    : commitmentNumber(value);

/** A commitment whose funding the message around it names. */
export function unscoped<W extends { readonly funding?: wire.Outpoint | undefined }, C>(
  read: (message: W, field: string) => C,
  message: W,
  field: string,
): C {
  if (message.funding !== undefined) {
    fail("malformed", `${field}.funding`, "not allowed here: the funding is already known");
  }
  return read(message, field);
}

export function readHolder(message: wire.HolderCommitment, field: string): HolderCommitment {
  return {
    commitmentNumber: readNumber(message.commitmentNumber, `${field}.commitment_number`),
    perCommitmentPoint: fixed(
      message.perCommitmentPoint,
      POINT_BYTES,
      `${field}.per_commitment_point`,
    ),
    feeratePerKw: readFeerate(message.feeratePerKw),
    toLocalSat: readSat(message.toLocalSat, `${field}.to_local_sat`),
    toRemoteSat: readSat(message.toRemoteSat, `${field}.to_remote_sat`),
    htlcs: readHtlcs(message.htlcs, "holder", `${field}.htlcs`),
    counterpartySignature: fixed(
      message.counterpartySignature,
      SIGNATURE_BYTES,
      `${field}.counterparty_signature`,
    ),
    counterpartyHtlcSignatures: message.counterpartyHtlcSignatures.map((signature, index) =>
      fixed(signature, SIGNATURE_BYTES, `${field}.counterparty_htlc_signatures[${index}]`),
    ),
    txid: txidFromInternal(fixed(message.txid, 32, `${field}.txid`)),
  };
}

export function readCounterparty(
  message: wire.CounterpartyCommitment,
  field: string,
): CounterpartyCommitment {
  return {
    commitmentNumber: readNumber(message.commitmentNumber, `${field}.commitment_number`),
    perCommitmentPoint: fixed(
      message.perCommitmentPoint,
      POINT_BYTES,
      `${field}.per_commitment_point`,
    ),
    feeratePerKw: readFeerate(message.feeratePerKw),
    toBroadcasterSat: readSat(message.toBroadcasterSat, `${field}.to_broadcaster_sat`),
    toCountersignatorySat: readSat(
      message.toCountersignatorySat,
      `${field}.to_countersignatory_sat`,
    ),
    htlcs: readHtlcs(message.htlcs, "counterparty", `${field}.htlcs`),
    txid: txidFromInternal(fixed(message.txid, 32, `${field}.txid`)),
  };
}

function readHtlcs(
  messages: readonly wire.CommitmentHtlc[],
  side: Side,
  field: string,
): readonly CommitmentHtlc[] {
  const htlcs = messages.map((message, index) => readHtlc(message, side, `${field}[${index}]`));
  for (const offered of [true, false]) {
    const direction = htlcs.filter((htlc) => htlc.offered === offered);
    if (direction.length > MAX_HTLCS_PER_SIDE) {
      fail("tooLarge", field, `more than ${MAX_HTLCS_PER_SIDE} HTLCs in one direction`);
    }
    refuseRepeats(
      direction.map(({ htlcId: id }) => id),
      field,
      "htlc_id",
    );
  }
  refuseRepeats(
    htlcs.flatMap(({ outputIndex }) => (outputIndex === undefined ? [] : [outputIndex])),
    field,
    "output_index",
  );
  refuseRepeats(
    htlcs.flatMap(({ source }) => (source === undefined ? [] : [source.sourceKey])),
    field,
    "source_key",
  );
  return htlcs;
}

function refuseRepeats(values: readonly unknown[], field: string, what: string): void {
  if (new Set(values).size !== values.length) {
    fail("malformed", field, `${what} used twice`);
  }
}

function readHtlc(message: wire.CommitmentHtlc, side: Side, field: string): CommitmentHtlc {
  const outbound = message.offered === (side === "holder");
  if (outbound !== (message.source !== undefined)) {
    fail(
      "malformed",
      `${field}.source`,
      outbound ? "required for an outbound HTLC" : "not allowed for an inbound HTLC",
    );
  }
  if (message.amountMsat === 0n) fail("rangeExceeded", `${field}.amount_msat`, "zero");
  return {
    htlcId: htlcId(message.htlcId),
    offered: message.offered,
    amountMsat: readMsat(message.amountMsat, `${field}.amount_msat`),
    cltvExpiry: readHeight(message.cltvExpiry, `${field}.cltv_expiry`),
    paymentHash: paymentHash(fixedHex(message.paymentHash, 32, `${field}.payment_hash`)),
    outputIndex: message.outputIndex,
    source:
      message.source === undefined ? undefined : readSource(message.source, `${field}.source`),
  };
}

export const writeHolder = (commitment: HolderCommitment): wire.HolderCommitment => ({
  commitmentNumber: BigInt(commitment.commitmentNumber),
  perCommitmentPoint: Buffer.from(commitment.perCommitmentPoint),
  feeratePerKw: commitment.feeratePerKw,
  toLocalSat: commitment.toLocalSat,
  toRemoteSat: commitment.toRemoteSat,
  htlcs: commitment.htlcs.map(writeHtlc),
  counterpartySignature: Buffer.from(commitment.counterpartySignature),
  counterpartyHtlcSignatures: commitment.counterpartyHtlcSignatures.map((bytes) =>
    Buffer.from(bytes),
  ),
  txid: Buffer.from(txidToInternal(commitment.txid)),
  funding: undefined,
});

export const writeCounterparty = (
  commitment: CounterpartyCommitment,
): wire.CounterpartyCommitment => ({
  commitmentNumber: BigInt(commitment.commitmentNumber),
  perCommitmentPoint: Buffer.from(commitment.perCommitmentPoint),
  feeratePerKw: commitment.feeratePerKw,
  toBroadcasterSat: commitment.toBroadcasterSat,
  toCountersignatorySat: commitment.toCountersignatorySat,
  htlcs: commitment.htlcs.map(writeHtlc),
  txid: Buffer.from(txidToInternal(commitment.txid)),
  funding: undefined,
});

const writeHtlc = (htlc: CommitmentHtlc): wire.CommitmentHtlc => ({
  htlcId: htlc.htlcId,
  offered: htlc.offered,
  amountMsat: htlc.amountMsat,
  cltvExpiry: htlc.cltvExpiry,
  paymentHash: Buffer.from(fromHex(htlc.paymentHash)),
  outputIndex: htlc.outputIndex,
  source: htlc.source === undefined ? undefined : writeSource(htlc.source),
});
