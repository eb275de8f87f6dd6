/**
 * A FeeWallet in memory: one coin for each fee, paid as asked or as the test says. Its signatures are
 * made up, so only input 0 of what it funds can be checked.
 */
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, sat, type FeeratePerKw } from "@farwatch/protocol/amount";
import { outpointKey, txid, txidToInternal, type Outpoint } from "@farwatch/protocol/ids";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { feeForWeight } from "@farwatch/monitor-service/bolt/weights";
import type { FeelessDraft, FeeWallet } from "@farwatch/monitor-service/chain/fee-wallet";
import type { FundedTx } from "@farwatch/monitor-service/tx/funded-htlc";

export const COIN_SAT = 1_000_000n;
const CHANGE_SCRIPT = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(0x77)]);
const FAKE_WITNESS = [new Uint8Array(71).fill(1), new Uint8Array(33).fill(2)];

/** The draft with one made-up coin and its change. `edit` may spoil it before it is serialized. */
export function fundedWith(
  { draft }: Pick<FeelessDraft, "draft">,
  feeSat: bigint,
  coin: Outpoint,
  edit: (tx: Transaction) => void = () => undefined,
): FundedTx {
  const tx = Transaction.fromBuffer(draft);
  tx.addInput(txidToInternal(coin.txid), coin.vout, 0xfffffffd);
  tx.setWitness(1, FAKE_WITNESS);
  tx.addOutput(CHANGE_SCRIPT, COIN_SAT - feeSat);
  edit(tx);
  const walletInputs = [{ outpoint: coin, valueSat: sat(COIN_SAT) }];
  return { rawTx: Uint8Array.from(tx.toBuffer()), walletInputs };
}

export const coinNamed = (vout: number): Outpoint => ({ txid: txid("c0".repeat(32)), vout });

export class FakeFeeWallet implements FeeWallet {
  /** Feerates asked for, in order. */
  readonly asked: FeeratePerKw[] = [];
  readonly locked = new Set<string>();
  /** What fund answers instead of a transaction. */
  refuses: string | undefined;
  /** Overrides the feerate. */
  paysRate: number | undefined;
  #coins = 0;

  async fund(draft: FeelessDraft, feerate: FeeratePerKw): Promise<Result<FundedTx, string>> {
    this.asked.push(feerate);
    if (this.refuses !== undefined) return err(this.refuses);
    const coin = coinNamed(this.#coins++);
    this.locked.add(outpointKey(coin));
    const rate = feeratePerKw(this.paysRate ?? feerate);
    return ok(fundedWith(draft, feeForWeight(rate, 1_000), coin));
  }

  async release({ walletInputs }: FundedTx): Promise<void> {
    for (const { outpoint } of walletInputs) this.locked.delete(outpointKey(outpoint));
  }
}
