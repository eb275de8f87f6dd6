/**
 * A preimage for an inbound HTLC became known: from an update, or as a record outside the numbered
 * chain (contract 2.1). Pure knowledge: idempotent, legal in every state; on a closed channel it opens
 * claims at once (R31: it never makes an event).
 */
import { hashOfPreimage, type PaymentHash, type Preimage } from "@farwatch/protocol/ids";
import { claimOfferedWithPreimage } from "../chain/on-counterparty-commitment.js";
import { claimReceivedWithPreimage } from "../chain/on-holder-commitment.js";
import type { LearnedPreimage } from "../input.js";
import { learnPreimage, type Work } from "../work.js";

export function learnPreimages(work: Work, learned: readonly LearnedPreimage[]): void {
  for (const { preimage } of learned) addPreimage(work, hashOfPreimage(preimage), preimage);
}

export function addPreimage(work: Work, hash: PaymentHash, preimage: Preimage): void {
  if (!learnPreimage(work, hash, preimage)) return;
  const { spend } = work.state;
  if (spend === undefined) return;
  switch (spend.kind) {
    case "holder":
      claimReceivedWithPreimage(work, hash, preimage);
      return;
    case "counterparty":
    case "counterpartyPrevious":
      claimOfferedWithPreimage(work, hash);
      return;
    case "revoked": // taken back whole; the preimage adds nothing
    case "mutual":
    case "unknown":
      return;
  }
}
