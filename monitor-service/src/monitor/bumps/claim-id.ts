/**
 * Names of claims whose fee a wallet brings (onchain-engine 9.3): stable while the claim lives, the same
 * on every monitor of the channel, so that a wallet can tell a replacement from a new payment.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import {
  hash32,
  txidToInternal,
  type Hash32,
  type Outpoint,
  type Txid,
} from "@farwatch/protocol/ids";

/** The commitment's txid, in internal order. */
export const commitmentClaimId = (commitment: Txid): Hash32 =>
  hash32(toHex(txidToInternal(commitment)));

/** SHA-256 over txid and output index (big-endian) of each output, in output order. */
export const htlcClaimId = (outpoints: readonly Outpoint[]): Hash32 =>
  hash32(
    toHex(
      sha256(
        concatBytes(
          ...[...outpoints]
            .sort((a, b) => a.vout - b.vout)
            .flatMap(({ txid, vout }) => [txidToInternal(txid), u32be(vout)]),
        ),
      ),
    ),
  );

/** One of several transactions of a claim: SHA-256 over the claim's name and its first outputs. */
export const batchId = (claimId: Hash32, outpoints: readonly Outpoint[]): Hash32 =>
  hash32(toHex(sha256(concatBytes(fromHex(claimId), ...outpoints.map(({ vout }) => u32be(vout))))));

function u32be(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, false);
  return bytes;
}
