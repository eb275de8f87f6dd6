/**
 * What a block costs: verification (txids, merkle root, witness commitment) and the search for watched
 * outpoints, on one synthetic full block.
 */
import { createHash } from "node:crypto";
import { assert } from "@farwatch/protocol/assert";
import { blockHeight } from "@farwatch/protocol/block";
import { txid } from "@farwatch/protocol/ids";
import { OutpointIndex, TxidIndex } from "@farwatch/monitor-service/chain/outpoint-index";
import { hash256 } from "@farwatch/monitor-service/chain/hash256";
import { scanBlock, type Watch } from "@farwatch/monitor-service/chain/scan-block";
import { buildBlock, type TxPlan } from "@farwatch/monitor-service/chain/testing/random-block";
import { verifyBlock } from "@farwatch/monitor-service/chain/verify-block";
import { HEADER_BYTES, parseHeader } from "@farwatch/monitor-service/chain/verify-header";
import { ratePerSecond } from "./clock.js";
import { rateRow, type Row } from "./report.js";

const BLOCK_BYTES = 1_500_000;
const WATCHED = 100_000;
/** Watched outpoints that the block spends: channels seldom close. */
const MATCHES = 5;
const INPUTS = 2;
/** One transaction with two P2WPKH-like inputs and two outputs. */
const TX_BYTES = 370;
const LOOP_MS = 1_500;

export function blockRates(): readonly Row[] {
  const raw = syntheticBlock();
  const watch = watchedOutpoints();
  const parsed = parseHeader(raw.subarray(0, HEADER_BYTES), blockHeight(1));
  assert(parsed.ok, "the block has a header");
  const verify = (): Uint8Array => {
    const verified = verifyBlock(parsed.value, raw);
    assert(verified.ok, "the block is valid");
    return verified.value.txids;
  };
  const txids = verify();
  const scan = (given: Uint8Array): void =>
    assert(scanBlock(raw, watch, given).length === MATCHES, "the scan finds what is watched");
  const size = `${(raw.length / 1e6).toFixed(1)} MB`;
  const walk = {
    name: `one pass over the bytes of ${size}, summed`,
    value: ratePerSecond(() => void sumOf(raw), LOOP_MS),
  };
  const hash = {
    name: `hash256 twice over ${size} (txids and witness txids)`,
    value: ratePerSecond(() => void [hash256(raw), hash256(raw)], LOOP_MS),
  };
  const verified = ratePerSecond(() => void verify(), LOOP_MS);
  const watched = `${WATCHED.toLocaleString("en")} watched outpoints`;
  const both = ratePerSecond(() => scan(verify()), LOOP_MS);
  return [
    rateRow(
      `block scan rate, ${watched}`,
      "blocks/s",
      ratePerSecond(() => scan(txids), LOOP_MS),
      walk,
    ),
    rateRow("block verification", "blocks/s", verified, hash),
    rateRow(`block verification and scan, ${watched}`, "blocks/s", both, hash),
  ];
}

function sumOf(raw: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < raw.length; i++) sum = (sum + (raw[i] ?? 0)) | 0;
  return sum;
}

const bytesNamed = (name: string): Uint8Array =>
  Uint8Array.from(createHash("sha256").update(name).digest());

const watchedTxid = (index: number): Uint8Array => bytesNamed(`watched ${index}`);

function watchedOutpoints(): Watch {
  const outpoints = new OutpointIndex(0x2545f491);
  for (let index = 0; index < WATCHED; index++) {
    const internal = Buffer.from(watchedTxid(index));
    outpoints.add({ txid: txid(internal.reverse().toString("hex")), vout: 0 }, index);
  }
  return { outpoints, txids: new TxidIndex(0x9e3779b9) };
}

/** Two-input transactions with witnesses until the block is as large as wanted. */
function syntheticBlock(): Uint8Array {
  const plans = Array.from({ length: Math.floor(BLOCK_BYTES / TX_BYTES) }, (_, index) =>
    txPlan(index),
  );
  const raw = buildBlock(plans).toBuffer();
  assert(Math.abs(raw.length - BLOCK_BYTES) < BLOCK_BYTES / 20, `a block of ${raw.length} bytes`);
  return raw;
}

function txPlan(index: number): TxPlan {
  const inputs = Array.from({ length: INPUTS }, (_, input) => {
    const spendsWatched = input === 0 && index < MATCHES;
    return {
      parent: undefined,
      hash: spendsWatched ? watchedTxid(index) : bytesNamed(`spent ${index} ${input}`),
      vout: 0,
      scriptSig: new Uint8Array(),
      witness: [new Uint8Array(71).fill(0x30), new Uint8Array(33).fill(2)],
    };
  });
  const script = Buffer.concat([Buffer.of(0, 20), bytesNamed(`to ${index}`).subarray(0, 20)]);
  return { inputs, outputs: [script, script] };
}
