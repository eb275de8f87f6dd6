/**
 * Penalty-only channels <-> wire (ADR M-18): their first state, their step and their event. In headers a
 * funding must stand and there is none that the host knows: the channel id and an impossible output do.
 */
import { fromHex } from "../bytes.js";
import type { FirstState, PenaltyOnlyChannel } from "../channel.js";
import type { PenaltyOvertaken } from "../event.js";
import {
  channelId,
  txidFromInternal,
  txidToInternal,
  type ChannelId,
  type Outpoint,
} from "../ids.js";
import type { Refusal } from "../reasons.js";
import { ok, type Result } from "../result.js";
import type { PenaltyTransactionStep } from "../update.js";
import type * as wireEvent from "../../gen/monitor/v1/event.js";
import {
  InitialState as WireInitialState,
  type PenaltyOnlyChannel as WireChannel,
} from "../../gen/monitor/v1/monitor_service.js";
import type * as wireUpdate from "../../gen/monitor/v1/update.js";
import { parseInitialState, readOutpoint, writeOutpoint } from "./channel.js";
import { readNumber } from "./commitment.js";
import { MAX_PENALTY_BYTES } from "./limits.js";
import { atMost, fail, fixed, fixedHex, optional, parseWith, present } from "./reader.js";

const ID_BYTES = 32;
const POINT_BYTES = 33;
/** Highest 16-bit number: BOLT 2 funding_output_index has room for it, no standard transaction has. */
const NO_OUTPUT = 0xffff;

/** Names the channel in signed headers. No transaction has this txid, as far as anyone can find one. */
export const penaltyOnlyFunding = (id: ChannelId): Outpoint => ({
  txid: txidFromInternal(fromHex(id)),
  vout: NO_OUTPUT,
});

/** Errors: malformed, wrongLength, rangeExceeded, tooLarge, unsupportedChannelType. */
export function parseFirstState(bytes: Uint8Array): Result<FirstState, Refusal> {
  if (!isPenaltyOnly(bytes)) {
    const parsed = parseInitialState(bytes);
    return parsed.ok ? ok({ kind: "full", initial: parsed.value }) : parsed;
  }
  return parseWith(WireInitialState, bytes, (message) => {
    const { penaltyOnly, ...others } = message;
    const channel = readChannel(present(penaltyOnly, "penalty_only"));
    const empty = WireInitialState.encode({ ...others, penaltyOnly: undefined }).finish();
    if (empty.length > 0) fail("malformed", "penalty_only", "every other field must be unset");
    return { kind: "penaltyOnly", channel };
  });
}

export const encodePenaltyOnly = (channel: PenaltyOnlyChannel): Uint8Array =>
  WireInitialState.encode(
    WireInitialState.fromPartial({
      penaltyOnly: {
        channelId: Buffer.from(fromHex(channel.channelId)),
        chainHash: Buffer.from(fromHex(channel.chainHash)),
        counterpartyNodeId: optional(channel.counterpartyNodeId, (bytes) => Buffer.from(bytes)),
      },
    }),
  ).finish();

/** What cannot be decoded is left to the parser of the other kind, which says why. */
function isPenaltyOnly(bytes: Uint8Array): boolean {
  try {
    return WireInitialState.decode(bytes).penaltyOnly !== undefined;
  } catch {
    return false;
  }
}

const readChannel = (message: WireChannel): PenaltyOnlyChannel => ({
  channelId: channelId(fixedHex(message.channelId, ID_BYTES, "penalty_only.channel_id")),
  chainHash: fixedHex(message.chainHash, ID_BYTES, "penalty_only.chain_hash"),
  counterpartyNodeId: optional(message.counterpartyNodeId, (bytes) =>
    fixed(bytes, POINT_BYTES, "penalty_only.counterparty_node_id"),
  ),
});

export function readPenalty(
  message: wireUpdate.PenaltyTransaction,
  field: string,
): PenaltyTransactionStep {
  const txid = fixed(message.commitmentTxid, ID_BYTES, `${field}.commitment_txid`);
  const at = `${field}.transaction`;
  const transaction = atMost(message.transaction, MAX_PENALTY_BYTES, at);
  if (transaction.length === 0) fail("wrongLength", at, "empty");
  return {
    kind: "penaltyTransaction",
    commitmentTxid: txidFromInternal(txid),
    commitmentNumber: readNumber(message.commitmentNumber, `${field}.commitment_number`),
    transaction,
  };
}

export const writePenalty = (step: PenaltyTransactionStep): wireUpdate.PenaltyTransaction => ({
  commitmentTxid: Buffer.from(txidToInternal(step.commitmentTxid)),
  commitmentNumber: BigInt(step.commitmentNumber),
  transaction: Buffer.from(step.transaction),
});

export const readOvertaken = (message: wireEvent.PenaltyOvertaken): PenaltyOvertaken => ({
  kind: "penaltyOvertaken",
  commitmentTxid: txidFromInternal(fixed(message.commitmentTxid, ID_BYTES, "commitment_txid")),
  commitmentNumber: readNumber(message.commitmentNumber, "commitment_number"),
  outpoint: readOutpoint(present(message.outpoint, "outpoint"), "outpoint"),
  spentBy: txidFromInternal(fixed(message.spentBy, ID_BYTES, "spent_by")),
  byRevocationKey: message.byRevocationKey,
});

export const writeOvertaken = (body: PenaltyOvertaken): wireEvent.PenaltyOvertaken => ({
  commitmentTxid: Buffer.from(txidToInternal(body.commitmentTxid)),
  commitmentNumber: BigInt(body.commitmentNumber),
  outpoint: writeOutpoint(body.outpoint),
  spentBy: Buffer.from(txidToInternal(body.spentBy)),
  byRevocationKey: body.byRevocationKey,
});
