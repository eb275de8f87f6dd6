/**
 * Signed proof of what became durable: one receipt per update or preimage record, one signature for all
 * of an answer (contract 2.1, 2.3, 2.4). Made after the commit, never before.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import { encodeReceipt, hashReceipt } from "@farwatch/protocol/envelope/receipt";
import { encodeReceiptBatch, hashReceiptBatch } from "@farwatch/protocol/envelope/receipt-batch";
import { signDigest } from "@farwatch/protocol/envelope/sign";
import {
  eventId,
  type ChannelId,
  type EventId,
  type Hash32,
  type UpdateId,
} from "@farwatch/protocol/ids";
import { isClosing } from "../monitor/htlcs.js";
import type { MonitorState } from "../monitor/state.js";
import type { ArchivedRow } from "../store/store.js";
import type { Core } from "./core.js";
import type { AnyEntry } from "./monitors.js";
import type { ReceiptStatus, SignedHeader, SignedReceipts, UpdateReceipt } from "./monitor-host.js";

const AUXILIARY_BYTES = 32;

/** The facts of a receipt, taken at the decision. */
export interface ReceiptFacts {
  readonly channelId: ChannelId;
  readonly setNo: number;
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  readonly status: ReceiptStatus;
  readonly eventWatermark: EventId;
  readonly tip: BlockPoint;
}

export const watermarkOf = ({ nextEventId }: Pick<MonitorState, "nextEventId">): EventId =>
  eventId(nextEventId - 1n);

/** For an update answered again: releases nothing when the channel is closing by now. */
export function repeatedStatus(entry: AnyEntry): ReceiptStatus {
  const closing = entry.kind === "full" ? isClosing(entry.state) : entry.state.seen.length > 0;
  return closing ? "appliedAfterClose" : "persisted";
}

/** As repeatedStatus and watermarkOf, of a channel whose state is not in memory. */
export const archivedFacts = ({
  lastEventId,
}: ArchivedRow): Pick<ReceiptFacts, "status" | "eventWatermark"> => ({
  status: "appliedAfterClose",
  eventWatermark: lastEventId,
});

/** undefined when there is nothing to prove. */
export function signReceipts(
  core: Core,
  facts: readonly ReceiptFacts[],
): SignedReceipts | undefined {
  if (facts.length === 0) return undefined;
  const { storeGen } = core;
  const { chainHash, monitorKey, storeId } = core.own;
  const receipts = facts.map((fact): UpdateReceipt => {
    const header = encodeReceipt({ chainHash, monitorKey, storeId, storeGen, ...fact });
    const { channelId, updateId, updateHash, status, eventWatermark } = fact;
    return { channelId, updateId, updateHash, status, eventWatermark, header };
  });
  const hashes = receipts.map(({ header }) => hashReceipt(header));
  return { ...signHashes(core, hashes), receipts };
}

/** For preimage records, which have no receipt body: the hash of the record itself is signed. */
export const signRecords = (core: Core, hashes: readonly Hash32[]): SignedHeader | undefined =>
  hashes.length === 0 ? undefined : signHashes(core, hashes);

function signHashes(core: Core, hashes: readonly Hash32[]): SignedHeader {
  const { chainHash, monitorKey, storeId } = core.own;
  const header = encodeReceiptBatch({ chainHash, monitorKey, storeId, hashes });
  const signature = signDigest(
    core.deps.curve,
    core.sealer.monitorSecret,
    hashReceiptBatch(header),
    core.deps.randomBytes(AUXILIARY_BYTES),
  );
  return { header, signature };
}
