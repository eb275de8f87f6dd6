/**
 * For tests: random blocks built by bitcoinjs-lib, which is then the oracle for what our own scanner and
 * verifier read from their bytes. Inputs often spend transactions of the same block.
 */
import { Block, Transaction } from "bitcoinjs-lib";
import fc from "fast-check";
import { must } from "@farwatch/protocol/assert";
import { equalBytes } from "@farwatch/protocol/bytes";
import { hash256 } from "../hash256.js";
import { checkProofOfWork } from "../proof-of-work.js";
import { REGTEST_BITS } from "./fake-chain.js";

export interface TxPlan {
  readonly inputs: readonly {
    /** Spends output `vout` of transaction `parent` modulo what came before, or of none in this block. */
    readonly parent: number | undefined;
    readonly hash: Uint8Array;
    readonly vout: number;
    readonly scriptSig: Uint8Array;
    readonly witness: readonly Uint8Array[];
  }[];
  readonly outputs: readonly Uint8Array[];
}

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
/** Lengths around the compact size step at 253 are common on purpose. */
const script = fc.oneof(bytes(40), fc.uint8Array({ minLength: 250, maxLength: 256 }));

const txPlan: fc.Arbitrary<TxPlan> = fc.record({
  inputs: fc.array(
    fc.record({
      parent: fc.option(fc.nat(30), { nil: undefined }),
      hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      vout: fc.oneof(fc.nat(3), fc.constant(0xfffffffe)),
      scriptSig: script,
      witness: fc.array(script, { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  outputs: fc.array(script, { minLength: 1, maxLength: 4 }),
});

export const blockPlan: fc.Arbitrary<readonly TxPlan[]> = fc.array(txPlan, { maxLength: 12 });

/** A block with proof of work, merkle root and, when it has witnesses, a witness commitment. */
export function buildBlock(plans: readonly TxPlan[]): Block {
  const transactions = [new Transaction()];
  for (const plan of plans) transactions.push(buildTx(plan, transactions.slice(1)));
  transactions[0] = coinbase(transactions);
  const block = new Block();
  block.version = 0x20000000;
  block.prevHash = new Uint8Array(32).fill(7);
  block.timestamp = 1_700_000_000;
  block.bits = REGTEST_BITS;
  block.transactions = transactions;
  block.merkleRoot = Block.calculateMerkleRoot(transactions);
  block.nonce = 0;
  while (!checkProofOfWork(hash256(block.toBuffer(true)), block.bits, "regtest").ok) block.nonce++;
  return block;
}

function buildTx(plan: TxPlan, earlier: readonly Transaction[]): Transaction {
  const tx = new Transaction();
  tx.version = 2;
  for (const input of plan.inputs) {
    const chained = input.parent !== undefined && earlier.length > 0;
    const hash = chained
      ? must(earlier[input.parent % earlier.length], "parent").getHash()
      : nonNull(input.hash);
    tx.addInput(hash, input.vout, undefined, input.scriptSig);
    if (input.witness.length > 0) tx.setWitness(tx.ins.length - 1, [...input.witness]);
  }
  for (const output of plan.outputs) tx.addOutput(output, 1_000n);
  return tx;
}

const nonNull = (hash: Uint8Array): Uint8Array =>
  equalBytes(hash, new Uint8Array(32)) ? new Uint8Array(32).fill(1) : hash;

function coinbase(transactions: readonly Transaction[]): Transaction {
  const tx = new Transaction();
  tx.addInput(new Uint8Array(32), 0xffffffff, undefined, Uint8Array.of(1, 2, 3));
  tx.addOutput(Uint8Array.of(0x51), 50n);
  if (!transactions.slice(1).some((other) => other.hasWitnesses())) return tx;
  tx.setWitness(0, [new Uint8Array(32).fill(9)]);
  // calculateMerkleRoot reads the reserved value from a coinbase that is in place already.
  const root = Block.calculateMerkleRoot([tx, ...transactions.slice(1)], true);
  tx.addOutput(Buffer.concat([Buffer.from("6a24aa21a9ed", "hex"), root]), 0n);
  return tx;
}
