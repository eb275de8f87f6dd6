/**
 * What is agreed before a channel's first commitment (BOLT 2, open_channel and accept_channel), with
 * defaults that suit tests, and everything derived from it once.
 */
import { randomBytes } from "node:crypto";
import {
  feeratePerKw,
  sat,
  type FeeratePerKw,
  type Msat,
  type Sat,
} from "@farwatch/protocol/amount";
import { blockDelta, type BlockDelta } from "@farwatch/protocol/block";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { ChannelType } from "@farwatch/protocol/channel";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { channelId, txidToInternal, type ChannelId, type Outpoint } from "@farwatch/protocol/ids";
import { channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import { obscureFactor } from "@farwatch/protocol/bolt/commitment-number";
import { fundingOutputScript, fundingScript } from "@farwatch/protocol/bolt/scripts";
import { partyOfSeed, type Party, type PaymentKeyVersion } from "./party.js";

/** "holder" is the side under protection, as in the words of the monitor. */
export type Side = "holder" | "counterparty";
export const SIDES: readonly Side[] = ["holder", "counterparty"];
export const otherSide = (side: Side): Side => (side === "holder" ? "counterparty" : "holder");
export const bySide = <T>(make: (side: Side) => T): Readonly<Record<Side, T>> => ({
  holder: make("holder"),
  counterparty: make("counterparty"),
});

/** Seeds of both nodes unless a test names others. */
export const DEFAULT_SEEDS: Readonly<Record<Side, Uint8Array>> = {
  holder: new Uint8Array(32).fill(1),
  counterparty: new Uint8Array(32).fill(2),
};
/** Regtest genesis block, internal byte order. */
export const REGTEST_CHAIN_HASH =
  "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f";

const DEFAULT_DUST_LIMIT = sat(354);
/** Blocks; longer than any test needs to react, shorter than what is tedious to mine. */
const DEFAULT_CONTEST_DELAY = blockDelta(144);
/** What bitcoind relays at, so that commitments need no anchor to get into a regtest mempool. */
const DEFAULT_FEERATE = feeratePerKw(253);
/** BOLT 2 suggests one percent. */
const RESERVE_DIVISOR = 100n;

export interface SideOptions {
  /** 32 bytes. */
  readonly seed?: Uint8Array;
  /** 32 bytes; drawn at random unless given. */
  readonly channelKeysId?: Uint8Array;
  readonly paymentKey?: PaymentKeyVersion;
  readonly dustLimitSat?: Sat;
  /** to_self_delay this side selects; it binds the other side's outputs. */
  readonly contestDelay?: BlockDelta;
  /** What this side must keep for itself when it adds HTLCs. */
  readonly reserveSat?: Sat;
}

export interface SetupOptions {
  readonly channelType: ChannelType;
  readonly capacitySat: Sat;
  /** Given to the accepter at the start. */
  readonly pushMsat?: Msat;
  readonly feeratePerKw?: FeeratePerKw;
  readonly opener?: Side;
  readonly holder?: SideOptions;
  readonly counterparty?: SideOptions;
  readonly curve?: Curve;
}

export interface SideSetup {
  readonly party: Party;
  readonly dustLimitSat: Sat;
  readonly contestDelay: BlockDelta;
  readonly reserveSat: Sat;
}

/** Everything the commitments of both sides share but the funding outpoint. */
export interface ChannelSetup {
  readonly curve: Curve;
  readonly channelType: ChannelType;
  readonly capacitySat: Sat;
  readonly initialFeeratePerKw: FeeratePerKw;
  readonly opener: Side;
  readonly sides: Readonly<Record<Side, SideSetup>>;
  readonly obscureFactor: bigint;
  readonly fundingWitnessScript: Uint8Array;
  readonly fundingScriptPubkey: Uint8Array;
}

const defaultFeerate = (channelType: ChannelType): FeeratePerKw =>
  channelTypeRules(channelType).commitmentPaysFee ? DEFAULT_FEERATE : feeratePerKw(0);

/** Fills in what the options leave out and derives the keys of both sides. */
export function resolveSetup(options: SetupOptions): ChannelSetup {
  const curve = options.curve ?? nobleCurve;
  return setupOf({
    curve,
    channelType: options.channelType,
    capacitySat: options.capacitySat,
    initialFeeratePerKw: options.feeratePerKw ?? defaultFeerate(options.channelType),
    opener: options.opener ?? "holder",
    sides: bySide((side) => {
      const own = options[side] ?? {};
      const seed = own.seed ?? DEFAULT_SEEDS[side];
      const keysId = own.channelKeysId ?? Uint8Array.from(randomBytes(32));
      return {
        party: partyOfSeed(curve, seed, keysId, own.paymentKey),
        dustLimitSat: own.dustLimitSat ?? DEFAULT_DUST_LIMIT,
        contestDelay: own.contestDelay ?? DEFAULT_CONTEST_DELAY,
        reserveSat: own.reserveSat ?? sat(options.capacitySat / RESERVE_DIVISOR),
      };
    }),
  });
}

type Agreed = Omit<ChannelSetup, "obscureFactor" | "fundingWitnessScript" | "fundingScriptPubkey">;

/** Adds what follows from both sides' public keys. */
export function setupOf(agreed: Agreed): ChannelSetup {
  const keys = bySide((side) => agreed.sides[side].party.pubkeys);
  const accepter = otherSide(agreed.opener);
  const funding = [keys.holder.fundingPubkey, keys.counterparty.fundingPubkey] as const;
  return {
    ...agreed,
    obscureFactor: obscureFactor(keys[agreed.opener].paymentPoint, keys[accepter].paymentPoint),
    fundingWitnessScript: fundingScript(...funding),
    fundingScriptPubkey: fundingOutputScript(...funding),
  };
}

/** BOLT 2: the funding txid with its last two bytes XORed with the output index. */
export function channelIdOf(funding: Outpoint): ChannelId {
  const bytes = fromHex(toHex(txidToInternal(funding.txid)));
  bytes[30] = (bytes[30] ?? 0) ^ (funding.vout >> 8);
  bytes[31] = (bytes[31] ?? 0) ^ (funding.vout & 0xff);
  return channelId(toHex(bytes));
}
