/**
 * PORT: the operator's wallet, as far as the monitor needs one: it pays the fee of a transaction that
 * has none (onchain-engine 9.10, 9.11). Refusals are values and mean "not now"; outages are thrown as
 * ChainUnavailable. What a wallet gives back is checked before anything of ours is signed
 * (tx/funded-htlc.ts).
 */
import type { FeeratePerKw } from "@farwatch/protocol/amount";
import type { Outpoint } from "@farwatch/protocol/ids";
import type { Result } from "@farwatch/protocol/result";
import type { FundedTx } from "../tx/funded-htlc.js";

export interface FeelessDraft {
  /** Serialized without a witness: one input, one output of the same value. */
  readonly draft: Uint8Array;
  /** Spent by the input, which is not the wallet's. */
  readonly outpoint: Outpoint;
  /** Of that input with its witness, in weight units. */
  readonly inputWeight: number;
}

export interface FeeWallet {
  /**
   * Adds confirmed coins and, behind output 0, change; signs the wallet's inputs and keeps their coins
   * from other use until `release`. The error says why the wallet cannot, and holds no secret.
   */
  fund(draft: FeelessDraft, feerate: FeeratePerKw): Promise<Result<FundedTx, string>>;
  /** The transaction is not wanted any more: its coins may be used again. Safe to repeat. */
  release(funded: FundedTx): Promise<void>;
}
