/** Splices of a protected channel on the chain in memory, and transactions on any of its fundings. */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, toHex, utf8 } from "@farwatch/protocol/bytes";
import { outpointKey, txid, type Outpoint } from "@farwatch/protocol/ids";
import { watched } from "@farwatch/monitor-service/monitor/outstanding";
import { p2wpkh, p2wsh } from "@farwatch/protocol/bolt/scripts";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { bytesOf, fullySigned } from "../channel/broadcast.js";
import type { Htlc } from "../channel/ledger.js";
import type { Side } from "../channel/setup.js";
import type { Splice } from "../channel/splice.js";
import { cheaterOutputs } from "./cheater-outputs.js";
import { bodiesOf } from "./event-rules.js";
import type { ProtectedChannel } from "./protected-channel.js";
import { pay } from "./scenario.js";

/** `OP_1`: anyone may spend it. */
const ANYONE = Uint8Array.of(0x51);
/** Where a splice-out pays to. */
const ELSEWHERE = p2wpkh(nobleCurve.publicKey(new Uint8Array(32).fill(0x77)));
const FEE_SAT = 500n;

/** `side` puts in a coin of its own. Two with other amounts compete. */
export async function spliceIn(p: ProtectedChannel, side: Side, addSat: bigint): Promise<Splice> {
  const name = sha256(concatBytes(utf8("coin"), utf8(`${side}:${addSat}`)));
  const coin: Outpoint = { txid: txid(toHex(name)), vout: 0 };
  p.chain.grant(coin, { script: p2wsh(ANYONE), value: addSat + FEE_SAT });
  const splice = await p.channel.splices.negotiate({ addSat: { [side]: addSat }, inputs: [coin] });
  splice.tx.setWitness(1, [ANYONE]);
  return splice;
}

/** `side` takes something out; the fee comes off it. */
export const spliceOut = (
  p: ProtectedChannel,
  side: Side,
  outSat: bigint,
  feeSat: bigint = FEE_SAT,
): Promise<Splice> =>
  p.channel.splices.negotiate({
    addSat: { [side]: -outSat },
    outputs: [{ script: ELSEWHERE, valueSat: outSat - feeSat }],
  });

export const rawOf = ({ tx }: Splice): Uint8Array => bytesOf(tx);

/** `side`'s own commitment on a funding, ready to publish. */
export const commitmentOn = (
  p: ProtectedChannel,
  funding: Outpoint,
  side: Side,
  number?: number,
): Uint8Array => {
  const { splices } = p.channel;
  return fullySigned(splices.setupOn(funding), splices.commitmentOn(funding, side, number));
};

/** Every output of a revoked commitment on a funding but ours and the anchors. */
export const revokedOutputsOn = (p: ProtectedChannel, funding: Outpoint, at: number) =>
  cheaterOutputs(p.channel.splices.commitmentOn(funding, "counterparty", at));

/** In both directions, and a dust one. */
export const busy = (p: ProtectedChannel): Promise<readonly Htlc[]> =>
  pay(
    p,
    { from: "holder", sat: 30_000, name: "out", expiry: 560 },
    { from: "counterparty", sat: 40_000, name: "in", expiry: 560 },
    { from: "holder", sat: 100, name: "dust", expiry: 560 },
  );

export const discarded = (p: ProtectedChannel): readonly string[] =>
  bodiesOf(p.events, "discardFunding").map(({ funding }) => outpointKey(funding));

export const spendsOf = (p: ProtectedChannel): readonly string[] =>
  p.published("holderCommitment").flatMap(({ raw }) => p.chain.inputsOf(raw).map(outpointKey));

export const isWatched = (p: ProtectedChannel, { funding }: { funding: Outpoint }): boolean =>
  watched(p.state).outpoints.some((outpoint) => outpointKey(outpoint) === outpointKey(funding));

/** A splice that both sides locked after it was confirmed, with HTLCs older than it. */
export async function spliced(p: ProtectedChannel): Promise<Splice> {
  const splice = await spliceIn(p, "holder", 200_000n);
  p.mine(rawOf(splice));
  p.mineEmpty(5);
  await p.channel.splices.lock(splice);
  return splice;
}
