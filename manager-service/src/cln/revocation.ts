/**
 * The parameters of `commitment_revocation` (doc/schemas/hook/commitment_revocation.json): channel_id and
 * commitnum are there since lightningd 0.10.2. Ids as people write them: hex, a txid back to front.
 */
import { z } from "zod";
import { fromHex } from "@farwatch/protocol/bytes";
import { MAX_COMMITMENT_NUMBER, MAX_PENALTY_BYTES } from "@farwatch/protocol/convert/limits";
import { channelId, commitmentNumber, txid, type ChannelId } from "@farwatch/protocol/ids";
import { checkPenaltyTransaction } from "@farwatch/protocol/penalty-transaction";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";

const id = z.string().regex(/^[0-9a-f]{64}$/);
const params = z.object({
  commitment_txid: id,
  penalty_tx: z
    .string()
    .regex(/^([0-9a-f]{2})+$/)
    .max(2 * MAX_PENALTY_BYTES),
  channel_id: id,
  commitnum: z.number().int().min(0).max(Number(MAX_COMMITMENT_NUMBER)),
});

export interface Revocation {
  readonly channelId: ChannelId;
  readonly penalty: PenaltyTransactionStep;
}

/** A string says what is wrong with it. */
export function readRevocation(given: unknown): Revocation | string {
  const read = params.safeParse(given);
  if (!read.success) {
    const [issue] = read.error.issues;
    return `${issue?.path.join(".") ?? "params"}: ${issue?.message ?? "not understood"}`;
  }
  const { commitment_txid: of, penalty_tx: hex, channel_id: channel, commitnum } = read.data;
  const transaction = fromHex(hex);
  const commitmentTxid = txid(of);
  const refusal = checkPenaltyTransaction(transaction, commitmentTxid);
  if (refusal !== undefined) return `penalty_tx: ${refusal.message}`;
  const number = commitmentNumber(commitnum);
  const step = { kind: "penaltyTransaction", commitmentTxid, commitmentNumber: number } as const;
  return { channelId: channelId(channel), penalty: { ...step, transaction } };
}
