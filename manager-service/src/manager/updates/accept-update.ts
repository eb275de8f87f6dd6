/**
 * J1: an update of the node, accepted or refused. Accepted means stored with everything that depends on
 * it, in one commit, before any monitor sees it. The node alone numbers updates (contract 2.1): the same
 * id with the same bytes is answered again, other bytes are a conflict and freeze the channel.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import { digestPayload, encodeUpdate, hashUpdate } from "@farwatch/protocol/envelope/update";
import { placeUpdate } from "@farwatch/protocol/update-cursor";
import { hash32 } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ManagerInput } from "../input.js";
import { afterAccepting, meetsAnotherHash, refuseWhileBehind } from "../restart/catch-up.js";
import type { ChannelRow, UpdateRow } from "../rows.js";
import { alarm, changeChannel, type Keep, type Work } from "../work.js";
import { applySteps } from "./apply-steps.js";
import { keepPreimages, revealedBy } from "./kept-preimages.js";

export type OfferedUpdate = Extract<ManagerInput, { kind: "updateOffered" }>;

export type Acceptance =
  | { readonly kind: "accepted" }
  /** Nothing was written. */
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** Drop what the steps wrote, then write what must be kept, then refuse. */
  | { readonly kind: "refusedKeeping"; readonly refusal: Refusal; readonly keep: Keep };

const refused = (refusal: Refusal): Acceptance => ({ kind: "refused", refusal });
/** No SHA-256 result that anyone knows; stands for "other bytes". */
const OTHER_HASH = hash32("ff".repeat(32));

/**
 * Errors: channelUnknown, notYourChannel, unknownRole (LDK's bytes), wrongChannelKind, channelHalted (frozen),
 * nodeBehind, managerBehind, updateGap, updateConflict, noFurtherUpdates, unknownStep, malformed,
 * invalidSecret, claimNotFound, preimageMismatch, duplicateForward, and channelUnknown and notYourChannel of
 * an inbound channel too.
 */
export function acceptUpdate(work: Work, offered: OfferedUpdate): Acceptance {
  const { channelId, nodeKey } = offered;
  const channel = work.draft.channel.get(channelId);
  if (channel === undefined) {
    return refused(refuse("channelUnknown", "WatchChannel first", { channel_id: channelId }));
  }
  if (channel.nodeKey !== nodeKey) {
    return refused(refuse("notYourChannel", "another node's channel", { channel_id: channelId }));
  }
  const acceptance = place(work, channel, offered);
  const revealed = revealedBy(offered.steps);
  if (acceptance.kind === "accepted" || revealed.length === 0) return acceptance;
  const { refusal } = acceptance;
  return {
    kind: "refusedKeeping",
    refusal,
    keep(fresh) {
      if (acceptance.kind === "refusedKeeping") acceptance.keep(fresh);
      keepPreimages(fresh, channelId, revealed, refusal);
    },
  };
}

function place(work: Work, channel: ChannelRow, offered: OfferedUpdate): Acceptance {
  const foreign = refuseDialect(channel, offered);
  if (foreign !== undefined) return refused(foreign);
  const row = sealed(work, channel, offered);
  const { acceptedId: lastId, headHash: lastHash } = channel;
  const { stored } = offered;
  const sameBytes = stored !== undefined && equalBytes(stored.payload, offered.payload);
  const verdict = placeUpdate(
    { lastId, lastHash, hashOf: () => stored?.updateHash },
    {
      id: offered.updateId,
      hash: sameBytes ? stored.updateHash : OTHER_HASH,
      prevHash: lastHash,
    },
  );
  switch (verdict.kind) {
    case "replay":
      answerAccepted(work, offered, stored ?? row);
      return { kind: "accepted" };
    case "gap":
      return refused(
        refuse("updateGap", "not the next update", {
          expected_update_id: String(verdict.expected),
        }),
      );
    case "conflict":
      return conflict(work, channel, offered);
    case "next":
      return acceptNext(work, channel, offered, row);
  }
}

/** The stored form: fixed for ever, the same for every monitor. */
function sealed(work: Work, channel: ChannelRow, offered: OfferedUpdate): UpdateRow {
  const { channelId, updateId, payload } = offered;
  const header = encodeUpdate({
    chainHash: channel.chainHash,
    channelId,
    funding: channel.funding,
    managerKey: work.context.managerKey,
    setNo: channel.setNo,
    updateId,
    prevHash: channel.headHash,
    payloadType: offered.payloadType ?? "typedSteps",
    ...digestPayload(payload),
  });
  return { channelId, updateId, updateHash: hashUpdate(header), header, payload };
}

/**
 * One channel, one language: what an LDK node starts again from is its first monitor and LDK's own bytes of
 * every update since.
 */
function refuseDialect(
  { dialect, role, penaltyOnly }: ChannelRow,
  { payloadType }: OfferedUpdate,
): Refusal | undefined {
  const isLdk = payloadType === "ldkBytes";
  if (isLdk && penaltyOnly === true) {
    return refuse("wrongChannelKind", "LDK's bytes are of channels with keys");
  }
  if (isLdk && role !== "nodeResolves") {
    return refuse("unknownRole", "LDK's bytes come from a node in role NODE_RESOLVES", { role });
  }
  if (isLdk === (dialect === "ldk")) return undefined;
  return isLdk
    ? refuse("malformed", "watched with initial_state: its updates are typed", {
        field: "ldk_bytes",
      })
    : refuse("malformed", "watched with ldk_monitor: its updates are LDK's bytes", {
        field: "typed",
      });
}

function conflict(work: Work, channel: ChannelRow, offered: OfferedUpdate): Acceptance {
  const { channelId, updateId } = offered;
  const behind = work.draft.session.get(channel.nodeKey)?.behind[channelId];
  if (behind !== undefined) {
    return refused(
      refuse("nodeBehind", "the node lost updates it had sent", { by: String(behind) }),
    );
  }
  const details = { channel_id: channelId, update_id: String(updateId) };
  const text = `update ${updateId} was offered twice with different bytes`;
  return {
    kind: "refusedKeeping",
    refusal: refuse("updateConflict", text, details),
    keep(fresh) {
      changeChannel(fresh, channelId, { frozen: text });
      alarm(fresh, channel.nodeKey, "updateConflict", channelId, text, channelId);
    },
  };
}

function acceptNext(
  work: Work,
  channel: ChannelRow,
  offered: OfferedUpdate,
  row: UpdateRow,
): Acceptance {
  const { channelId, updateId } = offered;
  const behind = work.draft.session.get(channel.nodeKey)?.behind[channelId];
  if (behind !== undefined) {
    const text = "the node is behind on this channel: what it signs may be revoked";
    return refused(refuse("nodeBehind", text, { by: String(behind) }));
  }
  const stale = refuseWhileBehind(work, channel);
  const isHeadKnown = channel.behindMonitor?.goal === undefined;
  if (stale !== undefined && !(isHeadKnown && isPreimagesOnly(offered))) return refused(stale);
  if (meetsAnotherHash(channel, row)) return conflict(work, channel, offered);
  if (channel.frozen !== undefined && !isPreimagesOnly(offered)) {
    const details = { channel_id: channelId };
    return refused(refuse("channelHalted", `frozen: ${channel.frozen}`, details));
  }
  const refusal = applySteps(work, channelId, updateId, offered.steps);
  if (refusal !== undefined) return refused(refusal);
  const after = changeChannel(work, channelId, {
    acceptedId: updateId,
    headHash: row.updateHash,
    behindMonitor: afterAccepting(channel, updateId),
  });
  work.draft.appendUpdate(channel.channelNo, row);
  work.touched.add(channelId);
  answerAccepted(work, offered, row);
  work.effects.push({ kind: "sendUpdate", channel: after, update: row });
  return { kind: "accepted" };
}

/** Only ever adds claims, so it is safe whatever froze the channel. */
const isPreimagesOnly = ({ steps }: OfferedUpdate): boolean =>
  steps.length > 0 && steps.every(({ kind }) => kind === "paymentPreimage");

function answerAccepted(work: Work, offered: OfferedUpdate, row: UpdateRow): void {
  const { nodeKey, channelId, updateId } = offered;
  const { updateHash } = row;
  work.effects.push({ kind: "accepted", nodeKey, channelId, updateId, updateHash });
}
