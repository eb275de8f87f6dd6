/**
 * What a channel type changes on chain, as one table: a new type is a new row and the compiler asks
 * for each of its facts (BOLT 3, "option_anchors"; BOLT PR 1228, "zero_fee_commitments"; onchain-engine
 * 2.3, 2.5, 2.6).
 */
import { sat, type Sat } from "../amount.js";
import type { ChannelType } from "../channel.js";
import { MAX_HTLCS_PER_SIDE } from "../convert/limits.js";
import { SIGHASH_ALL, SIGHASH_SINGLE_ANYONECANPAY } from "./signature.js";

export type { ChannelType } from "../channel.js";

/** BOLT 3: fixed value of a keyed anchor output, the P2WSH dust limit. */
export const ANCHOR_SAT: Sat = sat(330);

/**
 * BOLT PR 1228: most that a shared anchor holds, the dust limit of pay-to-anchor. Below it the anchor
 * takes all that is trimmed, so that the commitment pays no fee and its dust is ephemeral.
 */
export const SHARED_ANCHOR_MAX_SAT: Sat = sat(240);

/** BOLT PR 1228: version-3 transactions have at most 10 kvB (BIP 431), room for 114 HTLCs a side. */
export const MAX_HTLCS_PER_SIDE_V3 = 114;

export interface ChannelTypeRules {
  /** nVersion of commitment and second-stage transactions. */
  readonly txVersion: number;
  /**
   * "keyed": one anchor output per side, each spendable by one funding key. "p2a": one anchor that
   * anyone may spend.
   */
  readonly anchors: "none" | "keyed" | "p2a";
  /** False: the commitment's feerate is 0; a child brings the fee. */
  readonly commitmentPaysFee: boolean;
  /** to_remote and HTLC outputs can be spent by the other side only after one confirmation. */
  readonly oneBlockCsv: boolean;
  /** False: second-stage transactions pay no fee of their own and do not count for trimming. */
  readonly secondStagePaysFee: boolean;
  /** Sighash type of the counterparty's signature on our second-stage transactions. */
  readonly counterpartyHtlcSighash: number;
  /** Most HTLCs one side may have offered in a commitment. */
  readonly maxHtlcsPerSide: number;
}

const RULES: Readonly<Record<ChannelType, ChannelTypeRules>> = {
  static_remote_key: {
    txVersion: 2,
    anchors: "none",
    commitmentPaysFee: true,
    oneBlockCsv: false,
    secondStagePaysFee: true,
    counterpartyHtlcSighash: SIGHASH_ALL,
    maxHtlcsPerSide: MAX_HTLCS_PER_SIDE,
  },
  anchors_zero_fee_htlc: {
    txVersion: 2,
    anchors: "keyed",
    commitmentPaysFee: true,
    oneBlockCsv: true,
    secondStagePaysFee: false,
    counterpartyHtlcSighash: SIGHASH_SINGLE_ANYONECANPAY,
    maxHtlcsPerSide: MAX_HTLCS_PER_SIDE,
  },
  zero_fee_commitments: {
    txVersion: 3,
    anchors: "p2a",
    commitmentPaysFee: false,
    oneBlockCsv: false,
    secondStagePaysFee: false,
    counterpartyHtlcSighash: SIGHASH_SINGLE_ANYONECANPAY,
    maxHtlcsPerSide: MAX_HTLCS_PER_SIDE_V3,
  },
};

export const channelTypeRules = (channelType: ChannelType): ChannelTypeRules => RULES[channelType];
