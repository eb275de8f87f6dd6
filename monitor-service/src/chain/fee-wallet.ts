/**
 * PORT: the operator's wallet, as far as the monitor needs one: it brings the fee of a transaction of
 * ours (onchain-engine 9.9 to 9.11). Refusals are values and mean "not now"; outages are thrown as
 * ChainUnavailable. What a wallet gives back is checked before anything of ours is signed
 * (tx/funded-tx.ts).
 */
import type { Sat } from "@farwatch/protocol/amount";
import type { Outpoint, Txid } from "@farwatch/protocol/ids";
import type { Result } from "@farwatch/protocol/result";
import type { FundedTx } from "../tx/funded-tx.js";
import type { FundingPlan } from "../tx/funding-plan.js";

/** What is known of the wallet's coins: which claim spends which. */
export interface CoinUse {
  /** Spent by the transaction that this one replaces: spent again, so that only one can confirm. */
  readonly own: readonly Outpoint[];
  /** Spent by transactions of other claims: left alone, so that one claim never undoes another. */
  readonly others: readonly Outpoint[];
}

export interface FeeWallet {
  /**
   * Adds confirmed coins and change behind the plan's inputs and outputs, and signs the coins. Locks
   * nothing. The error says why the wallet cannot, and holds no secret.
   */
  fund(plan: FundingPlan, use: CoinUse): Promise<Result<FundedTx, string>>;
  /** Other uses of the wallet leave these coins alone, until it restarts at the latest. Safe to repeat. */
  keep(coins: readonly Outpoint[]): Promise<void>;
  /** The transaction is not wanted any more: its coins may be used again. Safe to repeat. */
  release(txid: Txid, coins: readonly Outpoint[]): Promise<void>;
  /** Value of confirmed coins, kept ones included. */
  confirmedSat(): Promise<Sat>;
}
