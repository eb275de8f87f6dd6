/**
 * PURE. What submitpackage says about the child of a package. Texts are those of bitcoind's
 * src/validation.cpp and src/policy/packages.cpp.
 */
import type { Txid } from "@farwatch/protocol/ids";
import { fieldsOf, textOf, type Fields } from "./answers.js";
import type { BroadcastResult } from "./chain-source.js";
import { classifyRejection } from "./classify-rejection.js";

/** By the rules of this bitcoind these transactions are no package; none of them was looked at. */
const NO_PACKAGE = ["package-not-child-with", "package topology disallowed"];
/** Stands with a transaction that has no verdict of its own: the package failed as a whole. */
const NOT_LOOKED_AT = "package-not-validated";

/** undefined: bitcoind does not take them for a package; each may still be good on its own. */
export function packageVerdict(answer: Fields, child: Txid): BroadcastResult | undefined {
  const message = textOf(answer["package_msg"], "package_msg");
  if (message === "success") return { kind: "accepted" };
  if (NO_PACKAGE.some((text) => message.startsWith(text))) return undefined;
  const results = Object.values(fieldsOf(answer["tx-results"], "tx-results")).map((result) =>
    fieldsOf(result, "tx-results"),
  );
  const own = results.find((result) => result["txid"] === child);
  // "transaction failed" may be about a parent that is in a block already.
  if (own !== undefined && own["error"] === undefined) return { kind: "accepted" };
  const verdicts = results
    .map((result) => result["error"])
    .filter((error) => typeof error === "string" && error !== NOT_LOOKED_AT)
    .map((error) => classifyRejection(String(error)));
  return tellingOne(classifyRejection(message), verdicts);
}

/** A child misses its inputs because its parent was refused: the parent's reason says more. */
function tellingOne(whole: BroadcastResult, each: readonly BroadcastResult[]): BroadcastResult {
  if (whole.kind === "refused" && whole.reason !== "policy") return whole;
  const refused = each.filter((verdict) => verdict.kind === "refused");
  return (
    refused.find(({ reason }) => reason === "insufficientFee") ??
    refused.find(({ reason }) => reason !== "missingInputs") ??
    refused[0] ??
    whole
  );
}
