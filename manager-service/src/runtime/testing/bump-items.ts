/** Bump requests as monitors tell them. */
import { feeratePerKw } from "@farwatch/protocol/amount";
import type { BumpItem } from "@farwatch/protocol/bump";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import { toHex } from "@farwatch/protocol/bytes";
import { hash32, txid, type ChannelId, type Hash32 } from "@farwatch/protocol/ids";
import { byte, CHANNEL } from "../../manager/testing/scene.js";

/** 32 bytes that end in the number and begin with its low byte. */
export const claimOf = (claim: number): Hash32 =>
  hash32(byte(claim % 256).slice(0, 56) + claim.toString(16).padStart(8, "0"));

/** For second stages: the request that is quickest to write down. */
export const wanted = (claim: number, rate: number, channelId: ChannelId = CHANNEL): BumpItem => ({
  channelId,
  request: {
    claimId: claimOf(claim),
    targetFeerate: feeratePerKw(rate),
    of: {
      kind: "htlcs",
      commitmentTxid: txid(byte(0x77)),
      locktime: 0,
      version: 2,
      maxWeight: 4_000,
      htlcs: [],
    },
  },
});

export const over = (claim: number, channelId: ChannelId = CHANNEL): BumpItem => ({
  channelId,
  ended: claimOf(claim),
});

/** "a 01 1000": monitor, claim, feerate; "over" in place of the feerate of an ended one. */
export function inWords({ item }: Pick<Item, "item">): string {
  const event = item?.$case === "userEvent" ? item.value.event : undefined;
  if (event?.$case !== "bumpTransaction") return "something else";
  const { monitor, request, ended } = event.value;
  const claim = toHex(request?.claimId ?? new Uint8Array()).slice(0, 2);
  return `${monitor} ${claim} ${ended ? "over" : String(request?.targetFeeratePerKw)}`;
}
