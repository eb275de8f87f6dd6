/** Short ways for tests of closes: payments in both directions, who spent what, what was told. */
import assert from "node:assert/strict";
export { CHANNEL_TYPES } from "@farwatch/protocol/channel";
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import { cheaterOutputs } from "./cheater-outputs.js";
import { broadcastableCommitment } from "../channel/broadcast.js";
import type { Htlc } from "../channel/ledger.js";
import type { Side } from "../channel/setup.js";
import { offer, secretNamed } from "../channel/test-channel.js";
import { bodiesOf, outcomesOf } from "./event-rules.js";
import type { ProtectedChannel } from "./protected-channel.js";

export interface Payment {
  readonly from: Side;
  readonly sat: number;
  readonly name: string;
  readonly expiry?: number;
}

/** Offers all and completes the dance. */
export async function pay(
  p: ProtectedChannel,
  ...payments: readonly Payment[]
): Promise<readonly Htlc[]> {
  const htlcs = payments.map(({ from, sat, name, expiry }) =>
    offer(p.channel, from, sat, name, expiry),
  );
  await p.channel.settle();
  return htlcs;
}

export async function fulfill(p: ProtectedChannel, htlc: Htlc, name: string): Promise<void> {
  await p.channel.fulfillHtlc(htlc, secretNamed(name).preimage);
  await p.channel.settle();
}

export const number = (p: ProtectedChannel, side: Side): number =>
  p.channel.commitment(side).number;

/** Confirms the counterparty's commitment of that number (default: its newest). */
export const counterpartyCloses = (p: ProtectedChannel, at?: number): void => {
  p.mine(broadcastableCommitment(p.channel, "counterparty", at));
};

export const spendKind = (p: ProtectedChannel) =>
  bodiesOf(p.events, "commitmentTxConfirmed")[0]?.spend;

export const outcomes = (p: ProtectedChannel, htlc: Htlc): readonly string[] =>
  outcomesOf(p.events, htlc.source.sourceKey);

/** Outpoints told as spendable so far. */
export const spendable = (p: ProtectedChannel): readonly string[] =>
  bodiesOf(p.events, "spendableOutputs").flatMap(({ outputs }) =>
    outputs.map(({ outpoint }) => outpointKey(outpoint)),
  );

/** What our transactions would spend now. */
export const claimed = (p: ProtectedChannel): ReadonlySet<string> =>
  new Set(
    p
      .published()
      .flatMap(({ raw }) => p.chain.inputsOf(raw))
      .map(outpointKey),
  );

export function assertClaims(p: ProtectedChannel, outpoints: readonly Outpoint[]): void {
  assert.deepEqual([...claimed(p)].sort(), outpoints.map(outpointKey).sort());
  p.assertPublishable();
}

/** Every output of a revoked commitment but ours and the anchors. */
export const revokedOutputs = (p: ProtectedChannel, at: number): readonly Outpoint[] =>
  cheaterOutputs(p.channel.commitment("counterparty", at));

/** Outpoint of an HTLC's output in a commitment. */
export function htlcOutpoint(p: ProtectedChannel, side: Side, at: number, htlc: Htlc): Outpoint {
  const commitment = p.channel.commitment(side, at);
  const found = commitment.htlcs.find(
    (item) => item.htlc.id === htlc.id && item.htlc.offeredBy === htlc.offeredBy,
  );
  assert.ok(found?.outputIndex !== undefined, "the HTLC has an output");
  return { txid: commitment.built.txid, vout: found.outputIndex };
}
