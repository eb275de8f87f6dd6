/**
 * Penalty transactions out of stored log rows. A damaged row is an error for a person and yields nothing: it may
 * not keep other channels from their blocks.
 */
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";
import type { LogRow } from "../../store/store.js";
import type { Core } from "../core.js";

export function penaltiesIn(core: Core, row: LogRow): readonly PenaltyTransactionStep[] {
  if (row.kind !== "update") return [];
  const steps = parseUpdatePayload(row.payload);
  if (steps.ok) return steps.value.filter((step) => step.kind === "penaltyTransaction");
  const { rowId, channelNo, updateId } = row;
  const channelId = core.monitors.byNo(channelNo)?.channelId;
  core.deps.log.error({ channelId, updateId, rowId }, "a stored penalty cannot be read");
  return [];
}
