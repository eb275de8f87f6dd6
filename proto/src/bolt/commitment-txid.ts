/**
 * Txids of a commitment of which all is known but the values of its two main outputs (BOLT 3, "Commitment
 * Transaction"). Scripts are made once, so that many values can be tried.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import type { Sat } from "../amount.js";
import { concatBytes } from "../bytes.js";
import { txidFromInternal, txidToInternal, type Txid } from "../ids.js";
import { channelTypeRules } from "./channel-type.js";
import { encodeCommitmentNumber } from "./commitment-number.js";
import {
  planOutputs,
  revalued,
  type CommitmentHtlcOutput,
  type CommitmentIdentity,
  type PlannedOutput,
} from "./commitment-outputs.js";

export interface KnownHtlc extends CommitmentHtlcOutput {
  /** undefined: trimmed (dust). */
  readonly outputIndex: number | undefined;
}

export class CommitmentTxids {
  readonly #head: Uint8Array;
  readonly #locktime: Uint8Array;
  /** By which of the main outputs are there. */
  readonly #plans = new Map<string, readonly PlannedOutput[]>();

  constructor(
    private readonly identity: CommitmentIdentity,
    private readonly htlcs: readonly KnownHtlc[],
  ) {
    const { commitmentNumber, obscureFactor, fundingOutpoint, channelType } = identity;
    const { locktime, sequence } = encodeCommitmentNumber(commitmentNumber, obscureFactor);
    this.#head = concatBytes(
      littleEndian(channelTypeRules(channelType).txVersion, 4),
      Uint8Array.of(1),
      txidToInternal(fundingOutpoint.txid),
      littleEndian(fundingOutpoint.vout, 4),
      Uint8Array.of(0),
      littleEndian(sequence, 4),
    );
    this.#locktime = littleEndian(locktime, 4);
  }

  /** 0: no such output. */
  of(toBroadcasterSat: Sat, toCountersignatorySat: Sat): Txid {
    const outputs = revalued(
      this.identity,
      this.#plan(toBroadcasterSat, toCountersignatorySat),
      toBroadcasterSat,
      toCountersignatorySat,
    );
    const raw = concatBytes(
      this.#head,
      compactSize(outputs.length),
      ...outputs.flatMap(({ valueSat, scriptPubkey }) => [
        littleEndian(valueSat, 8),
        Uint8Array.of(scriptPubkey.length), // of 34 bytes at most
        scriptPubkey,
      ]),
      this.#locktime,
    );
    return txidFromInternal(sha256(sha256(raw)));
  }

  #plan(toBroadcasterSat: Sat, toCountersignatorySat: Sat): readonly PlannedOutput[] {
    const key = `${toBroadcasterSat > 0n} ${toCountersignatorySat > 0n}`;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    const placed = this.htlcs.map((htlc, i) => ({
      htlc,
      i,
      tieBreak: htlc.outputIndex ?? 0,
      kept: htlc.outputIndex !== undefined,
    }));
    const plan = planOutputs(this.identity, toBroadcasterSat, toCountersignatorySat, placed);
    this.#plans.set(key, plan);
    return plan;
  }
}

function littleEndian(value: number | bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes.subarray(0, length);
}

/** BIP 144; a commitment has fewer than 65536 outputs. */
const compactSize = (count: number): Uint8Array =>
  count < 0xfd ? Uint8Array.of(count) : concatBytes(Uint8Array.of(0xfd), littleEndian(count, 2));
