/** Bump requests <-> wire. */
import { fromHex } from "../bytes.js";
import {
  claimIdOf,
  type BumpItem,
  type BumpTransaction,
  type CommitmentToBump,
  type ForeignInput,
  type HtlcsToClaim,
  type HtlcToClaim,
} from "../bump.js";
import { channelId, hash32, txidFromInternal, txidToInternal } from "../ids.js";
import type { Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import type * as wire from "../../gen/monitor/v1/event.js";
import type { BumpRequestItem } from "../../gen/monitor/v1/monitor_service.js";
import { readOutpoint, writeOutpoint } from "./channel.js";
import { MAX_SCRIPT_BYTES, MAX_TRANSACTION_BYTES } from "./limits.js";
import {
  atMost,
  fail,
  fixed,
  fixedHex,
  present,
  readFeerate,
  readSat,
  readWith,
} from "./reader.js";

export const bumpItemToWire = (item: BumpItem): BumpRequestItem => ({
  channelId: idBytes(item.channelId),
  request:
    "ended" in item
      ? { claimId: idBytes(claimIdOf(item)), kind: undefined, targetFeeratePerKw: 0 }
      : writeBump(item.request),
  ended: "ended" in item,
});

export const bumpItemFromWire = ({
  channelId: channel,
  request,
  ended,
}: BumpRequestItem): Result<BumpItem, Refusal> =>
  readWith(() => {
    const of = channelId(fixedHex(channel, 32, "channel_id"));
    const said = present(request, "request");
    return ended
      ? { channelId: of, ended: hash32(fixedHex(said.claimId, 32, "claim_id")) }
      : { channelId: of, request: readBump(said) };
  });

const idBytes = (id: string): Buffer => Buffer.from(fromHex(id));

function writeBump({ claimId, targetFeerate, of }: BumpTransaction): wire.BumpRequest {
  const kind: wire.BumpRequest["kind"] =
    of.kind === "commitment"
      ? { $case: "commitment", value: writeCommitment(of) }
      : { $case: "htlc", value: writeHtlcs(of) };
  return { claimId: idBytes(claimId), kind, targetFeeratePerKw: targetFeerate };
}

function readBump({ claimId, kind, targetFeeratePerKw }: wire.BumpRequest): BumpTransaction {
  const of = present(kind, "kind");
  return {
    claimId: hash32(fixedHex(claimId, 32, "claim_id")),
    targetFeerate: readFeerate(targetFeeratePerKw),
    of: of.$case === "commitment" ? readCommitment(of.value) : readHtlcs(of.value),
  };
}

const writeCommitment = (of: CommitmentToBump): wire.CommitmentBump => ({
  commitmentTx: Buffer.from(of.commitmentTx),
  commitmentFeeSat: of.commitmentFeeSat,
  anchor: writeOutpoint(of.anchor.outpoint),
  commitmentWeight: of.commitmentWeight,
  anchorValueSat: of.anchor.valueSat,
  anchorScriptPubkey: Buffer.from(of.anchor.scriptPubkey),
  anchorInputWeight: of.anchor.inputWeight,
  childVersion: of.childVersion,
  childMaxWeight: of.childMaxWeight,
  maxFeeSat: of.maxFeeSat,
});

const readCommitment = (of: wire.CommitmentBump): CommitmentToBump => ({
  kind: "commitment",
  commitmentTx: atMost(of.commitmentTx, MAX_TRANSACTION_BYTES, "commitment_tx"),
  commitmentFeeSat: readSat(of.commitmentFeeSat, "commitment_fee_sat"),
  commitmentWeight: of.commitmentWeight,
  anchor: {
    outpoint: readOutpoint(present(of.anchor, "anchor"), "anchor"),
    valueSat: readSat(of.anchorValueSat, "anchor_value_sat"),
    scriptPubkey: atMost(of.anchorScriptPubkey, MAX_SCRIPT_BYTES, "anchor_script_pubkey"),
    inputWeight: of.anchorInputWeight,
  },
  childVersion: of.childVersion,
  childMaxWeight: of.childMaxWeight,
  maxFeeSat: readSat(of.maxFeeSat, "max_fee_sat"),
});

const writeHtlcs = (of: HtlcsToClaim): wire.HtlcBump => ({
  commitmentTxid: Buffer.from(txidToInternal(of.commitmentTxid)),
  htlcTransactions: of.htlcs.map(({ transaction }) => Buffer.from(transaction)),
  lockTime: of.locktime,
  htlcs: of.htlcs.map(writeHtlc),
  version: of.version,
  maxWeight: of.maxWeight,
});

const writeHtlc = (of: ForeignInput & Pick<HtlcToClaim, "maxFeeSat">): wire.HtlcToClaim => ({
  outpoint: writeOutpoint(of.outpoint),
  valueSat: of.valueSat,
  scriptPubkey: Buffer.from(of.scriptPubkey),
  inputWeight: of.inputWeight,
  maxFeeSat: of.maxFeeSat,
});

function readHtlcs(of: wire.HtlcBump): HtlcsToClaim {
  if (of.htlcs.length !== of.htlcTransactions.length) {
    fail("malformed", "htlcs", "one for each of htlc_transactions");
  }
  return {
    kind: "htlcs",
    commitmentTxid: txidFromInternal(fixed(of.commitmentTxid, 32, "commitment_txid")),
    locktime: of.lockTime,
    version: of.version,
    maxWeight: of.maxWeight,
    htlcs: of.htlcs.map((htlc, index) => readHtlc(htlc, of.htlcTransactions[index])),
  };
}

const readHtlc = (of: wire.HtlcToClaim, transaction: Uint8Array | undefined): HtlcToClaim => ({
  outpoint: readOutpoint(present(of.outpoint, "outpoint"), "outpoint"),
  valueSat: readSat(of.valueSat, "value_sat"),
  scriptPubkey: atMost(of.scriptPubkey, MAX_SCRIPT_BYTES, "script_pubkey"),
  inputWeight: of.inputWeight,
  transaction: atMost(present(transaction, "transaction"), MAX_TRANSACTION_BYTES, "transaction"),
  maxFeeSat: readSat(of.maxFeeSat, "max_fee_sat"),
});
