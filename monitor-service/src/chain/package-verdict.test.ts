/** submitpackage's answers, as a bitcoind 29 gave them on regtest -> what became of the child. */
import assert from "node:assert/strict";
import { txid } from "@farwatch/protocol/ids";
import type { BroadcastResult } from "./chain-source.js";
import { packageVerdict } from "./package-verdict.js";

const PARENT = txid("aa".repeat(32));
const CHILD = txid("bb".repeat(32));

const answer = (message: string, parent: object, child: object) => ({
  package_msg: message,
  "tx-results": { 1: { txid: PARENT, ...parent }, 2: { txid: CHILD, ...child } },
  "replaced-transactions": [],
});

const shortOf = (verdict: BroadcastResult | undefined): string | undefined =>
  verdict?.kind === "refused" ? verdict.reason : verdict?.kind;

describe("package verdict", () => {
  const IN = { vsize: 96, fees: { base: 1e-7 } };
  const failed = "transaction failed";
  const missing = { error: "bad-txns-inputs-missingorspent" };
  const rbf = "insufficient fee, rejecting replacement bb, not enough additional fees to relay";
  const cases: readonly [string, ReturnType<typeof answer>, string | undefined][] = [
    ["both taken", answer("success", IN, IN), "accepted"],
    ["parent in a block", answer(failed, { error: "txn-already-known" }, IN), "accepted"],
    [
      "child too cheap",
      answer(failed, IN, { error: "min relay fee not met, 10 < 14" }),
      "insufficientFee",
    ],
    ["replacement too cheap", answer(failed, IN, { error: rbf }), "insufficientFee"],
    [
      "parent too cheap",
      answer(failed, { error: "min relay fee not met, 0 < 11" }, missing),
      "insufficientFee",
    ],
    ["parent spent", answer(failed, missing, missing), "missingInputs"],
    ["child only", answer(failed, IN, missing), "missingInputs"],
    [
      "conflict pays more",
      answer(
        "package RBF failed: insufficient anti-DoS fees, rejecting replacement bb, less fees than conflicting txs",
        { error: "min relay fee not met, 0 < 11" },
        missing,
      ),
      "insufficientFee",
    ],
    [
      "whole package too cheap",
      answer(
        "package-fee-too-low",
        { error: "package-not-validated" },
        { error: "package-not-validated" },
      ),
      "policy",
    ],
    ["parent not standard", answer(failed, { error: "version" }, missing), "policy"],
    [
      "both in blocks",
      {
        ...answer("package-not-child-with-unconfirmed-parents", {}, {}),
        "tx-results": {} as never,
      },
      undefined,
    ],
  ];
  for (const [name, given, wanted] of cases) {
    it(name, () => assert.equal(shortOf(packageVerdict(given, CHILD)), wanted));
  }
});
