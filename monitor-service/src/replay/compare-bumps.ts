/**
 * What a wallet was asked to pay for. How often is no part of it: LDK repeats its events while a claim is
 * open, and asks for HTLCs that the counterparty has taken already. Whether it was asked at all is.
 */
import type { BumpRequest } from "../monitor/effect.js";
import type { Journal } from "./journal.js";
import type { ExpectationShape } from "./recording-shape.js";
import type { Verdict } from "./verdict.js";

/** LDK `BumpTransactionEvent` variants, as recordings name them. */
const RECORDED_AS: Readonly<Record<BumpRequest["kind"], string>> = {
  commitment: "ChannelClose",
  htlcs: "HTLCResolution",
};

export function compareBumps(
  { bump_events: recorded }: ExpectationShape,
  journal: Journal,
): Verdict {
  const asked = (kind: BumpRequest["kind"]): boolean =>
    journal.bumps.some((bump) => bump.kind === kind);
  const count = (kind: BumpRequest["kind"]): number => recorded[RECORDED_AS[kind]] ?? 0;
  const problems: string[] = [];
  if (count("commitment") > 0 && !asked("commitment")) {
    problems.push("- bump request: ChannelClose, which we never ask for");
  }
  for (const kind of ["commitment", "htlcs"] as const) {
    if (asked(kind) && count(kind) === 0) {
      problems.push(`+ bump request: ${RECORDED_AS[kind]}, which nobody recorded`);
    }
  }
  return { problems, deliberate: [] };
}
