/**
 * An outbound HTLC that forwards inbound ones, as an accepted counterparty commitment brings it. The
 * double-forward guard (contract 2.15): an inbound HTLC is forwarded once. What it stands on must be
 * committed on our side, or nobody would pay for it.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { CommitmentHtlc, HtlcSource, InboundHtlc } from "@farwatch/protocol/channel";
import type { ChannelId, HtlcId, PaymentHash, SourceKey } from "@farwatch/protocol/ids";
import type { Msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { findInbound, inboundRow } from "../inbound/inbound-htlcs.js";
import { rowKeys, type ForwardRow, type LegRow } from "../rows.js";
import { roleOf, type Work } from "../work.js";

export interface NewLeg {
  readonly sourceKey: SourceKey;
  readonly kind: ForwardRow["kind"];
  readonly inbound: readonly InboundHtlc[];
  readonly intercepted: boolean;
  readonly channelId: ChannelId;
  readonly nodeKey: string;
  readonly paymentHash: PaymentHash;
  readonly amountMsat: Msat;
  readonly htlcId: HtlcId | undefined;
  readonly userChannelId: Uint8Array | undefined;
}

type Named = Pick<NewLeg, "channelId" | "nodeKey" | "userChannelId"> &
  Pick<CommitmentHtlc, "paymentHash" | "amountMsat"> & { readonly htlcId: HtlcId | undefined };

/** undefined: not the source of a forward, or one that names no inbound HTLC. */
export function legOf(named: Named, { sourceKey, origin }: HtlcSource): NewLeg | undefined {
  switch (origin.kind) {
    case "forward": {
      const { inbound, intercepted } = origin;
      return { ...named, sourceKey, kind: "forward", inbound: [inbound], intercepted };
    }
    case "trampoline": {
      const { inbound } = origin;
      if (inbound.length === 0) return undefined;
      return { ...named, sourceKey, kind: "trampoline", inbound, intercepted: false };
    }
    case "own":
    case "probe":
      return undefined;
    default:
      return assertNever(origin);
  }
}

/** LDK's ForwardClaimId: the payment hash and the smallest inbound HTLC. */
export function forwardKeyOf({ paymentHash, inbound }: Pick<NewLeg, "paymentHash" | "inbound">) {
  const [smallest] = inbound.map(rowKeys.inbound).sort();
  return `${paymentHash}/${must(smallest, "an inbound HTLC")}`;
}

/**
 * Errors: duplicateForward, channelUnknown, notYourChannel, malformed (the inbound HTLC is in no un-revoked
 * counterparty commitment, or has another hash; of a node that leaves it to us, another amount or expiry:
 * the fee is told by the one, the monitor fails back in time (R27) by the other).
 */
export function checkLeg(work: Work, leg: NewLeg): Refusal | undefined {
  const refusal = checkOwner(work, leg) ?? checkDuplicate(work, leg);
  if (refusal !== undefined) return refusal;
  for (const htlc of leg.inbound) {
    const problem = checkInbound(work, leg, htlc);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/**
 * Errors: notYourChannel. What one node says of its HTLCs must not touch another's, whatever role resolves
 * them.
 */
export function checkOwner(work: Work, { inbound, nodeKey }: NewLeg): Refusal | undefined {
  for (const { channelId, htlcId } of inbound) {
    const owner = work.draft.channel.get(channelId)?.nodeKey;
    if (owner === undefined || owner === nodeKey) continue;
    const details = { channel_id: channelId, htlc_id: String(htlcId) };
    return refuse("notYourChannel", "the inbound channel is another node's", details);
  }
  return undefined;
}

/** Errors: duplicateForward. */
export function checkDuplicate(work: Work, leg: NewLeg): Refusal | undefined {
  const { draft } = work;
  const forwardKey = forwardKeyOf(leg);
  if (draft.leg.get(leg.sourceKey) !== undefined) {
    return duplicate(leg, "its source was used before");
  }
  for (const key of leg.inbound.map(rowKeys.inbound)) {
    const others = draft.forward.select("inbound", key);
    const taken = others.some((other) => other.forwardKey !== forwardKey);
    const claimed = draft.claim.select("inbound", key).length > 0;
    if (taken || claimed) return duplicate(leg, `inbound HTLC ${key} has another use`);
    const row = draft.inbound.get(key);
    if (row?.decision !== undefined || row?.removedBy !== undefined) {
      return duplicate(leg, `inbound HTLC ${key} is resolved`);
    }
  }
  const known = draft.forward.get(forwardKey);
  if (known === undefined) return undefined;
  const sameInbound = inboundKeys(known) === inboundKeys(leg);
  const mayGrow = known.kind === "trampoline" && leg.kind === "trampoline" && sameInbound;
  return mayGrow ? undefined : duplicate(leg, "the inbound HTLC is forwarded already");
}

const inboundKeys = ({ inbound }: Pick<ForwardRow, "inbound">): string =>
  inbound.map(rowKeys.inbound).sort().join();

const duplicate = ({ sourceKey }: NewLeg, why: string): Refusal =>
  refuse("duplicateForward", `the HTLC would be forwarded twice: ${why}`, {
    source_key: sourceKey,
  });

function checkInbound(work: Work, leg: NewLeg, htlc: InboundHtlc): Refusal | undefined {
  const details = { channel_id: htlc.channelId, htlc_id: String(htlc.htlcId) };
  const channel = work.draft.channel.get(htlc.channelId);
  if (channel === undefined) {
    return refuse("channelUnknown", "the inbound channel is not watched", details);
  }
  const found = findInbound(channel, { ...htlc, paymentHash: leg.paymentHash });
  const field = { ...details, field: "source.inbound" };
  if (found === undefined) {
    return refuse("malformed", "the inbound HTLC is in no un-revoked commitment", field);
  }
  const bad = (why: string): Refusal => refuse("malformed", `the inbound HTLC has ${why}`, field);
  if (found.paymentHash !== leg.paymentHash) return bad("another payment hash");
  // LDK's sources leave both out; who resolves by itself goes by its own.
  if (roleOf(work, leg.nodeKey) !== "managerResolves") return undefined;
  if (found.amountMsat !== htlc.amountMsat) return bad("another amount");
  return found.cltvExpiry === htlc.cltvExpiry ? undefined : bad("another expiry");
}

/** Creates the leg, its forward and its inbound rows; known ones stay as they are. */
export function addLeg(work: Work, leg: NewLeg): LegRow {
  const { sourceKey, nodeKey, kind, paymentHash, inbound, intercepted } = leg;
  const known = work.draft.leg.get(sourceKey);
  if (known !== undefined) return known;
  const forwardKey = forwardKeyOf(leg);
  for (const htlc of inbound) inboundRow(work, nodeKey, htlc, paymentHash);
  if (work.draft.forward.get(forwardKey) === undefined) {
    work.draft.forward.put(forwardKey, {
      forwardKey,
      nodeKey,
      kind,
      paymentHash,
      inbound,
      intercepted,
      state: "pending",
      preimage: undefined,
      claimFromOnchain: false,
      skimmedFeeMsat: undefined,
    });
  }
  const { channelId, htlcId, amountMsat, userChannelId } = leg;
  const names = { sourceKey, forwardKey, channelId, htlcId, amountMsat, userChannelId };
  const row: LegRow = { ...names, state: "alive" };
  work.draft.leg.put(sourceKey, row);
  return row;
}
