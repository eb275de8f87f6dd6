/**
 * PURE. Feerate of a transaction whose fee a wallet brings, first and when it is raised
 * (onchain-engine 9.4, LDK `compute_package_feerate`). The fee does not come out of what is claimed, so
 * no share of a value bounds it here: the caller compares the fee with what is at stake.
 */
import { feeratePerKw, type FeeratePerKw } from "@farwatch/protocol/amount";
import { FEERATE_FLOOR } from "./fee.js";

/** A forced bump adds 1/4 to the previous feerate. */
const BUMP_DIVISOR = 4;
/**
 * Forced bumps end at 5 times the estimate: what does not confirm at that feerate is held up by
 * something else than its fee.
 */
export const MAX_ESTIMATE_MULTIPLE = 5;

/**
 * "force": the estimate if it is higher than before, else a quarter more than before, up to
 * MAX_ESTIMATE_MULTIPLE estimates and never less than before. "highest": the higher of both.
 */
export function nextPackageFeerate(
  estimate: FeeratePerKw,
  previous: FeeratePerKw | undefined,
  strategy: "force" | "highest",
): FeeratePerKw {
  const fresh = Math.max(estimate, FEERATE_FLOOR);
  if (previous === undefined || fresh > previous) return feeratePerKw(fresh);
  if (strategy === "highest") return previous;
  const raised = previous + Math.floor(previous / BUMP_DIVISOR);
  return feeratePerKw(Math.max(previous, Math.min(raised, fresh * MAX_ESTIMATE_MULTIPLE)));
}
