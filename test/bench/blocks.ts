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
import { rateRow, type Limit, type Row } from "./report.js";

const BLOCK_BYTES = 1_500_000;
const WATCHED = 100_000;
/** Watched outpoints that the block spends: channels seldom close. */
const MATCHES = 5;
const INPUTS = 2;
/** One transaction with two P2WPKH-like inputs and two outputs. */
const TX_BYTES = 370;
/** A merkle tree hashes pairs, about one for each transaction. */
const MERKLE_NODE_BYTES = 64;
const LOOP_MS = 1_000;

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
  const rate = (once: () => void): number => ratePerSecond(once, LOOP_MS);
  const size = `${(raw.length / 1e6).toFixed(1)} MB`;
  const copy = Uint8Array.from(raw);
  const walk = {
    name: `one pass over ${size}, by native code (memcmp with a copy)`,
    value: rate(() => assert(Buffer.compare(raw, copy) === 0, "equal")),
  };
  const hashes = {
    name: `hash256 of ${size} in one piece, twice (txids, witness txids)`,
    value: rate(() => void [hash256(raw), hash256(raw)]),
  };
  const pieces = {
    name: "the same in pieces: each transaction twice, and two merkle trees",
    value: rate(() => hashInPieces(raw)),
  };
  const watched = `${WATCHED.toLocaleString("en")} watched outpoints`;
  const verified = rate(() => void verify());
  const both = rate(() => scan(verify()));
  const row = (name: string, value: number, limit: Limit): Row =>
    rateRow(name, "blocks/s", value, limit);
  return [
    row(`block scan rate, ${watched}`, both, walk),
    row(
      `scanBlock alone, ${watched}`,
      rate(() => scan(txids)),
      walk,
    ),
    row("verifyBlock alone", verified, hashes),
    row("verifyBlock alone", verified, pieces),
  ];
}

/** As many hashes, of the same sizes, as verification cannot do without. */
function hashInPieces(raw: Uint8Array): void {
  for (let at = 0; at < raw.length; at += TX_BYTES) {
    const transaction = raw.subarray(at, at + TX_BYTES);
    const node = raw.subarray(at, at + MERKLE_NODE_BYTES);
    for (const bytes of [transaction, transaction, node, node]) hash256(bytes);
  }
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
