/**
 * Classifies the first confirmed spend of the funding output (onchain-engine 6) and starts what it
 * calls for. The txid decides which commitment it is; the number hidden in locktime and sequence
 * (BOLT 3) tells a revoked one from one we never heard of.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import type { FundingSpendKind } from "@farwatch/protocol/event";
import type { CommitmentNumber, PerCommitmentSecret } from "@farwatch/protocol/ids";
import { decodeCommitmentNumber } from "@farwatch/protocol/bolt/commitment-number";
import type { ParsedTx } from "../../tx/parsed-tx.js";
import { revokedSecret } from "../commitments.js";
import type { StoredCommitment } from "../input.js";
import { holdersOn } from "../scopes.js";
import type { FundingScope, MonitorState } from "../state.js";
import { change, emit, type Work } from "../work.js";
import { handleCounterpartyCommitment } from "./on-counterparty-commitment.js";
import { handleHolderCommitment } from "./on-holder-commitment.js";
import { handleRevokedCommitment } from "./on-revoked-commitment.js";
import { paysAsTheirs } from "./second-stage.js";
import { suspectSplice } from "./suspects.js";
import { track, wait } from "./waiting.js";

export interface SeenSpend {
  readonly tx: ParsedTx;
  readonly block: BlockPoint;
  /** Of the funding that is spent. */
  readonly scope: FundingScope;
  /** From the update log. */
  readonly stored: StoredCommitment | undefined;
}

export function onFundingSpend(work: Work, { tx, block, scope, stored }: SeenSpend): void {
  const number = hiddenNumber(work.state, tx);
  const holder = holdersOn(work.state, scope).find(({ txid }) => txid === tx.txid);
  const counterparty = [scope.counterparty, scope.counterpartyPrevious].find(
    (commitment) => commitment?.txid === tx.txid,
  );
  const revealed = number === undefined ? undefined : revokedSecret(work.state, number);
  const isNamed = (stored ?? counterparty) !== undefined;
  // Both sides' commitments carry the same numbers: an old one of ours is not theirs to be punished for.
  const isTheirs = revealed !== undefined && (isNamed || paysAsTheirs(work, tx, revealed));
  const secret = isTheirs ? revealed : undefined;
  const kind = classify(scope, { tx, number, secret, isHolder: holder !== undefined });
  change(work, {
    spend: {
      txid: tx.txid,
      funding: scope.parameters.funding,
      block,
      kind,
      commitmentNumber: number,
      perCommitmentPoint: undefined,
      identified:
        kind !== "mutual" && kind !== "unknown" && (kind !== "revoked" || stored !== undefined),
      final: false,
    },
    seenSpend: { tx, kind, lostAt: undefined },
  });
  if (!work.state.spendReported) {
    change(work, { spendReported: true });
    emit(
      work,
      {
        kind: "commitmentTxConfirmed",
        txid: tx.txid,
        spend: kind,
        mutualClose: kind === "mutual",
        commitmentNumber: number,
      },
      { kind: "chain", txid: tx.txid, block },
    );
  }
  wait(work, tx.txid, block, { kind: "fundingSpend" });
  if (holder !== undefined) handleHolderCommitment(work, holder, block);
  else if (secret !== undefined) {
    handleRevokedCommitment(work, { tx, block, secret, stored: stored ?? counterparty });
  } else if (counterparty !== undefined) handleCounterpartyCommitment(work, counterparty, block);
  else if (kind === "unknown") keepWatching(work, tx, block);
  else suspectSplice(work, tx, block);
}

/** An update may still name this commitment; until then every spend of its outputs is kept. */
function keepWatching(work: Work, tx: ParsedTx, block: BlockPoint): void {
  track(
    work,
    tx.outputs.map((_, vout) => ({
      outpoint: { txid: tx.txid, vout },
      createdAt: block.height,
      role: { kind: "unidentified" },
    })),
  );
}

/** undefined when the transaction does not have the shape of a commitment. */
function hiddenNumber(state: MonitorState, tx: ParsedTx): CommitmentNumber | undefined {
  const [input] = tx.inputs;
  return input === undefined || tx.inputs.length !== 1
    ? undefined
    : decodeCommitmentNumber(tx.locktime, input.sequence, state.obscureFactor);
}

interface Signs {
  readonly tx: ParsedTx;
  readonly number: CommitmentNumber | undefined;
  readonly secret: PerCommitmentSecret | undefined;
  readonly isHolder: boolean;
}

function classify(scope: FundingScope, { tx, number, secret, isHolder }: Signs): FundingSpendKind {
  if (isHolder) return "holder";
  // Also what a funding given up long ago still calls current.
  if (secret !== undefined) return "revoked";
  if (scope.counterparty.txid === tx.txid) return "counterparty";
  if (scope.counterpartyPrevious?.txid === tx.txid) return "counterpartyPrevious";
  return number === undefined ? "mutual" : "unknown";
}
