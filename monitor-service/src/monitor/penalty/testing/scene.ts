/** Commitments and penalties for tests of penalty-only channels: real transactions, signatures made up. */
import { must } from "@farwatch/protocol/assert";
import { blockHash, blockHeight, type BlockPoint } from "@farwatch/protocol/block";
import {
  channelId,
  commitmentNumber,
  hash32,
  txid,
  updateId,
  type Outpoint,
  type Txid,
} from "@farwatch/protocol/ids";
import type { PenaltyTransactionStep, UpdateStep } from "@farwatch/protocol/update";
import { parseTx, type ParsedTx } from "../../../tx/parsed-tx.js";
import { spend } from "../../../tx/testing/spend.js";
import { createPenaltyOnly } from "../create.js";
import type { PenaltyInput, PenaltyTransition } from "../input.js";
import type { PenaltyState } from "../state.js";
import { penaltyStep } from "../step.js";

export const byteHex = (byte: number): string => byte.toString(16).padStart(2, "0").repeat(32);
export const CHANNEL = channelId(byteHex(0xc1));
export const COMMITMENT = txid(byteHex(0xaa));

export const toLocal = (of: Txid = COMMITMENT, vout = 0): Outpoint => ({ txid: of, vout });
export const penalty = (
  transaction: Uint8Array = spend([toLocal()]),
  of: Txid = COMMITMENT,
  number = 5,
): PenaltyTransactionStep => ({
  kind: "penaltyTransaction",
  commitmentTxid: of,
  commitmentNumber: commitmentNumber(number),
  transaction,
});

export const block = (height: number, fork = 0): BlockPoint => ({
  height: blockHeight(height),
  hash: blockHash(
    height.toString(16).padStart(8, "0").repeat(7) + fork.toString().padStart(8, "0"),
  ),
});

/** A channel that lives through inputs; remembers what it told. */
export class PenaltyScene {
  state: PenaltyState = createPenaltyOnly(
    { channelId: CHANNEL, chainHash: byteHex(0), counterpartyNodeId: undefined },
    { updateId: updateId(0), updateHash: hash32(byteHex(1)), best: block(100) },
  );
  readonly told: string[] = [];

  input(input: PenaltyInput): PenaltyTransition {
    const result = penaltyStep(this.state, input);
    const { state, events } = must(result.ok ? result.value : undefined, "accepted");
    this.state = state;
    for (const { body } of events) this.told.push(body.kind);
    return must(result.ok ? result.value : undefined, "accepted");
  }

  offer(...steps: readonly UpdateStep[]): ReturnType<typeof penaltyStep> {
    const id = updateId(this.state.latestUpdateId + 1n);
    const updateHash = hash32(byteHex(Number(id) % 256));
    const result = penaltyStep(this.state, {
      kind: "updateReceived",
      updateId: id,
      updateHash,
      steps,
    });
    if (result.ok) this.state = result.value.state;
    return result;
  }

  /** The next block. */
  mine(
    found: readonly PenaltyTransactionStep[] = [],
    transactions: readonly Uint8Array[] = [],
    fork = 0,
  ): PenaltyTransition {
    const next = block(this.state.best.height + 1, fork);
    const parsed: readonly ParsedTx[] = transactions.map(parseTx);
    return this.input({ kind: "blockConnected", block: next, found, transactions: parsed });
  }

  mineEmpty(count: number): void {
    for (let i = 0; i < count; i++) this.mine();
  }

  reorgTo(height: number): void {
    this.input({ kind: "blocksDisconnected", forkPoint: block(height) });
  }
}
