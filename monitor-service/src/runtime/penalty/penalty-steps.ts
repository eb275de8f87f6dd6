/** Penalty transactions out of stored log rows. */
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import { must } from "@farwatch/protocol/assert";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";
import type { LogRow } from "../../store/store.js";

/** Throws when the row is damaged. */
export function penaltiesIn(row: LogRow): readonly PenaltyTransactionStep[] {
  if (row.kind !== "update") return [];
  const steps = parseUpdatePayload(row.payload);
  return must(steps.ok ? steps.value : undefined, "a readable update payload").filter(
    (step) => step.kind === "penaltyTransaction",
  );
}
