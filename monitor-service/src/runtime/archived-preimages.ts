/**
 * A preimage for an archived channel. Nothing is left that it could claim, but a preimage is never
 * dropped (contract 2.1): it is durable in the channel's log, in case a person brings the channel back.
 */
import { hashOfPreimage } from "@farwatch/protocol/ids";
import type { ArchivedChannel } from "./archive.js";
import { nextRow, type Core } from "./core.js";
import type { Draft } from "./draft.js";
import { preimageLog, type PreimageKnowledge } from "./preimage-log.js";

export function keepPreimages(
  core: Core,
  draft: Draft,
  archived: ArchivedChannel,
  offered: readonly PreimageKnowledge[],
  batchRowId: number,
): void {
  const fresh = offered.filter(({ preimage }) => !archived.preimages.has(hashOfPreimage(preimage)));
  if (fresh.length === 0) return;
  for (const { preimage } of fresh) archived.preimages.add(hashOfPreimage(preimage));
  const { channelNo, headRowId: prevRowId, channelId } = archived.row;
  const rowId = nextRow(core, "log");
  const log = { ...preimageLog(fresh, batchRowId), rowId, channelNo, prevRowId };
  draft.write({ op: "appendLog", row: log });
  archived.row = { ...archived.row, headRowId: rowId };
  draft.write({ op: "putArchive", row: archived.row });
  const facts = { channelId, preimages: fresh.length };
  core.deps.log.warn(facts, "preimages for an archived channel are kept, not acted on");
}
