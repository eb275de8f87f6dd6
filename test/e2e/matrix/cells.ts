/**
 * The cells of the matrix: channel type x close x what is pending. Which of them there are is one list,
 * so that a cell nobody has written, or that did not run, shows in the table.
 */
import { CHANNEL_TYPES, type ChannelType } from "@farwatch/protocol/channel";
import type { Side } from "../../harness/channel/setup.js";

export const CLOSES = [
  "revoked",
  "revoked + second stage",
  "holder",
  "counterparty current",
  "counterparty previous",
  "coop",
  "splice",
] as const;
export type Close = (typeof CLOSES)[number];

export const PENDING = ["offered", "received", "dust", "duplicate"] as const;
export type Pending = (typeof PENDING)[number];

export interface CellId {
  readonly type: ChannelType;
  readonly close: Close;
  readonly pending: Pending;
}

export const cellName = ({ type, close, pending }: CellId): string =>
  `${type}, ${close}, ${pending}`;

/** All of one close, which go through it together. */
export const cellsOf = (close: Close): readonly CellId[] =>
  CHANNEL_TYPES.flatMap((type) => PENDING.map((pending) => ({ type, close, pending })));

/**
 * What becomes of an HTLC when the channel closes. "first": its receiver has the preimage and uses it;
 * on a revoked commitment it was settled before. "second": nobody has, or shows, the preimage.
 */
export type Fate = "first" | "second";

export interface PlannedHtlc {
  readonly from: Side;
  readonly sat: number;
  /** Of the preimage; equal names are parts of one payment. */
  readonly secret: string;
  readonly fate: Fate;
}

/** Above every trim threshold, below what half of it could not pay for. */
const KEPT_SAT = 42_000;
/** Below both sides' dust limit of 354. */
const DUST_SAT = 200;

export const PLANS: Readonly<Record<Pending, readonly PlannedHtlc[]>> = {
  offered: [
    { from: "holder", sat: KEPT_SAT, secret: "a", fate: "first" },
    { from: "holder", sat: KEPT_SAT + 1_000, secret: "b", fate: "second" },
  ],
  received: [
    { from: "counterparty", sat: KEPT_SAT, secret: "c", fate: "first" },
    { from: "counterparty", sat: KEPT_SAT + 1_000, secret: "d", fate: "second" },
  ],
  dust: [
    { from: "counterparty", sat: DUST_SAT, secret: "e", fate: "first" },
    { from: "holder", sat: DUST_SAT, secret: "f", fate: "second" },
  ],
  // Two parts of one payment whose outputs are the same, and the hash a third time the other way.
  duplicate: [
    { from: "holder", sat: KEPT_SAT, secret: "g", fate: "first" },
    { from: "holder", sat: KEPT_SAT, secret: "g", fate: "second" },
    { from: "counterparty", sat: KEPT_SAT, secret: "g", fate: "first" },
  ],
};
