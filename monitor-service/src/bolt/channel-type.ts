/**
 * What a channel type changes on chain, as one table: a new type is a new row and the compiler asks
 * for each of its facts (BOLT 3, "option_anchors"; onchain-engine 2.3, 2.5, 2.6).
 */
import { sat, type Sat } from "@farwatch/protocol/amount";
import type { ChannelType } from "@farwatch/protocol/channel";
import { SIGHASH_ALL, SIGHASH_SINGLE_ANYONECANPAY } from "./signature.js";

export type { ChannelType } from "@farwatch/protocol/channel";

/** BOLT 3: fixed value of a keyed anchor output, the P2WSH dust limit. */
export const ANCHOR_SAT: Sat = sat(330);

export interface ChannelTypeRules {
  /** nVersion of commitment and second-stage transactions. */
  readonly txVersion: number;
  /** "keyed": one anchor output per side, each spendable by one funding key. */
  readonly anchors: "none" | "keyed";
  /** to_remote and HTLC outputs can be spent by the other side only after one confirmation. */
  readonly oneBlockCsv: boolean;
  /** False: second-stage transactions pay no fee of their own and do not count for trimming. */
  readonly secondStagePaysFee: boolean;
  /** Sighash type of the counterparty's signature on our second-stage transactions. */
  readonly counterpartyHtlcSighash: number;
}

const RULES: Readonly<Record<ChannelType, ChannelTypeRules>> = {
  static_remote_key: {
    txVersion: 2,
    anchors: "none",
    oneBlockCsv: false,
    secondStagePaysFee: true,
    counterpartyHtlcSighash: SIGHASH_ALL,
  },
  anchors_zero_fee_htlc: {
    txVersion: 2,
    anchors: "keyed",
    oneBlockCsv: true,
    secondStagePaysFee: false,
    counterpartyHtlcSighash: SIGHASH_SINGLE_ANYONECANPAY,
  },
};

export const channelTypeRules = (channelType: ChannelType): ChannelTypeRules => RULES[channelType];
