/**
 * What a recording looks like (schema `ldkjs-fixture/1`): only what a replay reads. Other keys may stand
 * beside these; transactions and blocks are hex, txids and hashes in display order.
 */
import { z } from "zod";
import { NETWORKS } from "../config-networks.js";

const hex = z.string().regex(/^(?:[0-9a-f]{2})*$/, "expected lowercase hex");
const hash = z.string().regex(/^[0-9a-f]{64}$/, "expected 32 bytes of lowercase hex");
const outpoint = z.string().regex(/^[0-9a-f]{64}:\d{1,10}$/, "expected txid:vout");
const height = z.number().int().min(0).max(499_999_999);
const integerText = z.string().regex(/^\d{1,20}$/, "expected a decimal number");

const Block = z.object({ height, hash, raw: hex });
export type BlockShape = z.infer<typeof Block>;

/** Satoshis per 1000 weight units, by LDK's name of the target. */
const Fees = z.record(z.string(), z.number().int().min(0).max(0xffffffff));

const RecordedTx = z.object({
  txid: hash,
  /** Only where the transaction is seen for the first time. */
  raw: hex.optional(),
  ok: z.boolean().optional(),
});

const Balance = z.looseObject({ type: z.string(), amount_satoshis: integerText });
export type BalanceShape = z.infer<typeof Balance>;

const known = [
  z.object({ type: z.literal("watch_channel"), channel: outpoint, monitor: hex }),
  z.object({ type: z.literal("update_channel"), channel: outpoint, update: hex }),
  /** What the channel's ChannelMonitor was at this point. */
  z.object({ type: z.literal("snapshot"), channel: outpoint, monitor: hex }),
  z.object({ type: z.literal("block_connected"), height, hash }),
  z.object({ type: z.literal("block_disconnected"), height, hash }),
  z.object({ type: z.literal("fees"), fees: Fees }),
  z.object({ type: z.literal("balances"), balances: z.array(Balance) }),
  z.object({
    type: z.literal("broadcast"),
    source: z.string(),
    txs: z.array(RecordedTx),
  }),
] as const;
const Known = z.discriminatedUnion("type", known);
export type TimelineEntry = z.infer<typeof Known>;
const KNOWN_TYPES: ReadonlySet<string> = new Set(known.map(({ shape }) => shape.type.value));

/** What the monitor is not told (notes, events of the node's manager) is left out. */
const Timeline = z
  .array(z.looseObject({ type: z.string() }))
  .transform((entries) => entries.filter(({ type }) => KNOWN_TYPES.has(type)))
  .pipe(z.array(Known));

const Node = z.object({ seed: hash, timeline: Timeline });
export type NodeShape = z.infer<typeof Node>;

const ExpectedEvent = z.object({
  height,
  channel: outpoint,
  type: z.string(),
  reason: z.string().optional(),
  payment_hash: hash.optional(),
  payment_preimage: hash.nullish(),
  htlc_value_satoshis: integerText.nullish(),
});
export type ExpectedEventShape = z.infer<typeof ExpectedEvent>;

const ExpectedOutput = z.object({ height, type: z.string(), outpoint, value: integerText });
export type ExpectedOutputShape = z.infer<typeof ExpectedOutput>;

const ExpectedBroadcast = z.object({
  first_height: height,
  via: z.string(),
  txid: hash,
  confirmed: height,
  role: z.string(),
  inputs: z.array(outpoint),
});
export type ExpectedBroadcastShape = z.infer<typeof ExpectedBroadcast>;

const Expectation = z.object({
  monitor_events: z.array(ExpectedEvent),
  spendable_outputs: z.array(ExpectedOutput),
  confirmed_broadcasts: z.array(ExpectedBroadcast),
  /** LDK `BumpTransactionEvent`s by variant. */
  bump_events: z.record(z.string(), z.number().int().min(0)),
  final_balances: z.array(Balance),
});
export type ExpectationShape = z.infer<typeof Expectation>;

export const RecordingShape = z.object({
  schema: z.literal("ldkjs-fixture/1"),
  scenario: z.string(),
  network: z.enum(NETWORKS),
  fee_estimates_sat_per_kw: Fees,
  meta: z.object({ reorged_blocks: z.array(Block).optional() }).optional(),
  blocks: z.array(Block),
  nodes: z.record(z.string(), Node),
  expect: z.record(z.string(), Expectation).optional(),
});
