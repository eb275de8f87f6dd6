/**
 * How many confirmed satoshis the wallet that pays for anchor channels should hold, so that our commitment
 * and its second stages could be brought through a busy mempool (onchain-engine 9.11; LDK
 * `anchor_channel_reserves`). A figure for people: nothing is refused for lack of it.
 */
import { feeratePerKw, sat, type Sat } from "@farwatch/protocol/amount";
import type { ChannelType, CommitmentHtlc } from "@farwatch/protocol/channel";
import { channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import {
  commitmentFeeSat,
  commitmentWeight,
  feeForWeight,
  INPUT_BYTES,
  KEYED_ANCHOR_WITNESS,
  secondStageWeight,
  SHARED_ANCHOR_WITNESS,
  WALLET_CHANGE_WEIGHT,
  WALLET_COIN_WEIGHT,
  WITNESS_SCALE,
} from "@farwatch/protocol/bolt/weights";
import type { MonitorState } from "../state.js";

/**
 * 50 sat/vB: the next block cost more for weeks in busy years, but seldom more for days. Lower and a spike
 * finds the wallet empty; higher and coins lie idle beside every channel.
 */
export const RESERVE_FEERATE = feeratePerKw(12_500);

type Reserved = Pick<
  MonitorState,
  "parameters" | "holder" | "holderBroadcast" | "spend" | "confirmedHolder" | "holderHtlcClaims"
>;

/** 0 for channels whose transactions carry their own fee, and once another's spend has confirmed. */
export function feeReserveSat(state: Reserved): Sat {
  const { channelType } = state.parameters;
  if (channelTypeRules(channelType).anchors === "none") return sat(0);
  if (state.spend !== undefined) {
    const open = state.confirmedHolder === undefined ? [] : state.holderHtlcClaims;
    return secondStages(
      channelType,
      open.map(({ htlc }) => htlc),
    );
  }
  const { htlcs, feeratePerKw: carried } = state.holderBroadcast?.commitment ?? state.holder;
  const untrimmed = htlcs.filter(({ outputIndex }) => outputIndex !== undefined);
  const weight = commitmentWeight(channelType, untrimmed.length);
  const wanted = feeForWeight(RESERVE_FEERATE, weight + childWeight(channelType));
  const missing = wanted - commitmentFeeSat(channelType, carried, untrimmed.length);
  return sat((missing > 0n ? missing : 0n) + secondStages(channelType, untrimmed));
}

/** One coin and a change output each: how many will share a transaction is not known beforehand. */
const secondStages = (
  channelType: ChannelType,
  htlcs: readonly Pick<CommitmentHtlc, "offered">[],
): Sat =>
  sat(
    htlcs.reduce<bigint>((sum, { offered }) => {
      const weight = secondStageWeight(channelType, offered) + PAYER_WEIGHT;
      return sum + feeForWeight(RESERVE_FEERATE, weight);
    }, 0n),
  );

const PAYER_WEIGHT = WALLET_COIN_WEIGHT + WALLET_CHANGE_WEIGHT;

/** Version, counts and locktime of a transaction, with marker and flag: 4 * 10 + 2. */
const FRAME_WEIGHT = 42;

const childWeight = (channelType: ChannelType): number =>
  FRAME_WEIGHT +
  WITNESS_SCALE * INPUT_BYTES +
  (channelTypeRules(channelType).anchors === "keyed"
    ? KEYED_ANCHOR_WITNESS
    : SHARED_ANCHOR_WITNESS) +
  PAYER_WEIGHT;
