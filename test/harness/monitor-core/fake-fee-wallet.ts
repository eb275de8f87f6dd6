/**
 * A FeeWallet in memory: one coin for each new transaction, the same coins again for its replacement,
 * paid as asked or as the test says. Its signatures are made up, so only our own inputs of what it funds
 * can be checked.
 */
import type { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, sat, type FeeratePerKw, type Sat } from "@farwatch/protocol/amount";
import { outpointKey, txid, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { feeForWeight } from "@farwatch/protocol/bolt/weights";
import type { CoinUse, FeeWallet } from "@farwatch/monitor-service/chain/fee-wallet";
import type { FundedTx } from "@farwatch/monitor-service/tx/funded-tx";
import {
  assemble,
  typicalWeight,
  type FundingPlan,
} from "@farwatch/monitor-service/tx/funding-plan";

export const COIN_SAT = 1_000_000n;
const CHANGE_SCRIPT = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(0x77)]);
const FAKE_WITNESS = [new Uint8Array(71).fill(1), new Uint8Array(33).fill(2)];

/** The plan with made-up coins and change. `edit` may spoil it before it is serialized. */
export function fundedWith(
  plan: FundingPlan,
  feeSat: bigint,
  coins: readonly Outpoint[],
  edit: (tx: Transaction) => void = () => undefined,
): FundedTx {
  const walletInputs = coins.map((outpoint) => ({ outpoint, valueSat: sat(COIN_SAT) }));
  const values = [...plan.inputs, ...walletInputs];
  const spent = values.reduce((sum, { valueSat }) => sum + valueSat, 0n);
  const paid = plan.outputs.reduce((sum, { valueSat }) => sum + valueSat, feeSat);
  const change = { scriptPubkey: CHANGE_SCRIPT, valueSat: sat(spent - paid) };
  const tx = assemble(plan, walletInputs, change);
  for (const index of coins.keys()) tx.setWitness(plan.inputs.length + index, FAKE_WITNESS);
  edit(tx);
  return { rawTx: Uint8Array.from(tx.toBuffer()), walletInputs };
}

export const coinNamed = (vout: number): Outpoint => ({ txid: txid("c0".repeat(32)), vout });

/** What the plan costs at its feerate. */
export function planFeeSat(plan: FundingPlan, rate = plan.feeratePerKw): bigint {
  const { parent } = plan;
  return feeForWeight(rate, typicalWeight(plan) + (parent?.weight ?? 0)) - (parent?.feeSat ?? 0n);
}

export class FakeFeeWallet implements FeeWallet {
  /** Plans it was asked to pay for, in order. */
  readonly asked: FundingPlan[] = [];
  readonly uses: CoinUse[] = [];
  readonly kept = new Set<string>();
  readonly released: Txid[] = [];
  /** What fund answers instead of a transaction. */
  refuses: string | undefined;
  /** More inputs than this cannot be paid for. */
  mostInputs = Infinity;
  /** Overrides the feerate. */
  paysRate: number | undefined;
  balance: Sat = sat(COIN_SAT);
  #coins = 0;

  get rates(): readonly FeeratePerKw[] {
    return this.asked.map(({ feeratePerKw: rate }) => rate);
  }

  async fund(plan: FundingPlan, use: CoinUse): Promise<Result<FundedTx, string>> {
    this.asked.push(plan);
    this.uses.push(use);
    if (this.refuses !== undefined) return err(this.refuses);
    if (plan.inputs.length > this.mostInputs) return err("Insufficient funds");
    const coins = use.own.length > 0 ? use.own : [coinNamed(this.#coins++)];
    const rate = feeratePerKw(this.paysRate ?? plan.feeratePerKw);
    return ok(fundedWith(plan, planFeeSat(plan, rate), coins));
  }

  async keep(coins: readonly Outpoint[]): Promise<void> {
    for (const coin of coins) this.kept.add(outpointKey(coin));
  }

  async release(of: Txid, coins: readonly Outpoint[]): Promise<void> {
    this.released.push(of);
    for (const coin of coins) this.kept.delete(outpointKey(coin));
  }

  async confirmedSat(): Promise<Sat> {
    return this.balance;
  }
}
