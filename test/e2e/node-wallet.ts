/**
 * The wallet of a Lightning node, as an integrator would write it over bitcoind's: builds what a
 * BumpTransaction asks for from the request alone, with one confirmed coin.
 */
import { Transaction } from "bitcoinjs-lib";
import { z } from "zod";
import { must } from "@farwatch/protocol/assert";
import type { BumpTransaction, CommitmentToBump, HtlcsToClaim } from "@farwatch/protocol/bump";
import { txidToInternal } from "@farwatch/protocol/ids";
import { feeForWeight } from "@farwatch/protocol/bolt/weights";
import type { Regtest } from "../harness/bitcoind/node.js";
import { takeCoin, type TakenCoin } from "../harness/channel/wallet-fee.js";

/** BIP 125: replaceable. */
const REPLACEABLE = 0xfffffffd;
/** Weight units, a little above what they are: one coin, one output of change, one more input. */
const CHILD_WEIGHT = 800;
const COIN_AND_CHANGE_WEIGHT = 450;
/** Of a second stage besides its input: version, locktime, counts, one P2WSH output. */
const SECOND_STAGE_WEIGHT = 220;

export interface Funded {
  readonly transaction: Buffer;
  /** The same, from bitcoind's wallet. */
  readonly psbt: Buffer;
}

const psbtAnswer = z.object({ psbt: z.string() });

export async function fundBump(
  bitcoind: Regtest,
  { of, targetFeerate }: BumpTransaction,
): Promise<Funded> {
  const feeSat =
    of.kind === "commitment" ? childFee(of, targetFeerate) : claimFee(of, targetFeerate);
  const coin = await takeCoin(bitcoind.wallet, feeSat);
  const unsigned = of.kind === "commitment" ? child(of, coin, feeSat) : claims(of, coin, feeSat);
  const signed = await coin.sign(unsigned);
  const { wallet } = bitcoind;
  const made = String(await bitcoind.rpc("converttopsbt", [unsigned.toHex()]));
  const { psbt } = psbtAnswer.parse(await wallet.rpc("walletprocesspsbt", [made]));
  return { transaction: Buffer.from(signed.toBuffer()), psbt: Buffer.from(psbt, "base64") };
}

type Rate = BumpTransaction["targetFeerate"];

const childFee = (of: CommitmentToBump, rate: Rate): bigint =>
  feeForWeight(rate, of.commitmentWeight + CHILD_WEIGHT) - of.commitmentFeeSat;

const claimFee = ({ htlcs }: HtlcsToClaim, rate: Rate): bigint => {
  const alone = htlcs.reduce((sum, { inputWeight }) => sum + inputWeight + SECOND_STAGE_WEIGHT, 0);
  return feeForWeight(rate, alone + COIN_AND_CHANGE_WEIGHT);
};

function addCoin(tx: Transaction, coin: TakenCoin, change: bigint): Transaction {
  const { txid, vout } = coin.outpoint;
  tx.addInput(txidToInternal(txid), vout, REPLACEABLE);
  tx.addOutput(coin.changeScript, change);
  return tx;
}

function child({ childVersion, anchor }: CommitmentToBump, coin: TakenCoin, feeSat: bigint) {
  const tx = new Transaction();
  tx.version = childVersion;
  tx.addInput(txidToInternal(anchor.outpoint.txid), anchor.outpoint.vout, REPLACEABLE);
  return addCoin(tx, coin, anchor.valueSat + coin.valueSat - feeSat);
}

function claims({ version, locktime, htlcs }: HtlcsToClaim, coin: TakenCoin, feeSat: bigint) {
  const tx = new Transaction();
  tx.version = version;
  tx.locktime = locktime;
  const alone = htlcs.map(({ transaction }) => Transaction.fromBuffer(Buffer.from(transaction)));
  for (const { ins } of alone) {
    const input = must(ins[0], "the input of a second stage");
    tx.addInput(input.hash, input.index, input.sequence);
  }
  for (const { outs } of alone) {
    const output = must(outs[0], "the output of a second stage");
    tx.addOutput(output.script, output.value);
  }
  return addCoin(tx, coin, coin.valueSat - feeSat);
}
