/**
 * PURE. What bitcoind's mempool says about a transaction -> what we do about it. Texts are those of
 * bitcoind's src/validation.cpp and src/policy; an unknown text is "policy", which raises an alarm.
 */
import type { BroadcastRefusal, BroadcastResult } from "./chain-source.js";

const KNOWN = [
  "txn-already-in-mempool",
  "txn-already-known",
  "txn-same-nonwitness-data-in-mempool",
  "already in utxo set",
  "already in block chain",
];

const REASONS: readonly (readonly [BroadcastRefusal, readonly string[]])[] = [
  [
    "missingInputs",
    [
      "missingorspent",
      "missing-inputs",
      "missing inputs",
      "bad-txns-spends-conf",
      "mempool-conflict",
    ],
  ],
  [
    "insufficientFee",
    [
      "insufficient fee",
      "min relay fee not met",
      "min fee not met",
      "mempool full",
      "insufficient feerate",
      "insufficient anti-dos fees",
      "less fees than conflicting",
      "too many potential replacements",
      "replacement-adds-unconfirmed",
      "replacement-failed",
    ],
  ],
  ["nonFinal", ["non-final", "non-bip68-final", "premature-spend-of-coinbase"]],
];

/** `text`: the error message of sendrawtransaction, or a reject-reason of testmempoolaccept. */
export function classifyRejection(text: string): BroadcastResult {
  const lower = text.toLowerCase();
  if (KNOWN.some((known) => lower.includes(known))) return { kind: "alreadyKnown" };
  const found = REASONS.find(([, texts]) => texts.some((part) => lower.includes(part)));
  return { kind: "refused", reason: found?.[0] ?? "policy", message: text };
}
