/** What both sides put on the chain of a world. The counterparty's transactions are the scenario's. */
import { blockHeight } from "@farwatch/protocol/block";
import { must } from "@farwatch/protocol/assert";
import type { Outpoint } from "@farwatch/protocol/ids";
import { broadcastableCommitment, htlcSuccessTx } from "../../harness/channel/broadcast.js";
import { claimWithPreimage } from "../../harness/channel/claims.js";
import { findUntrimmed } from "../../harness/channel/commitment.js";
import type { Side } from "../../harness/channel/setup.js";
import type { Link, OnLink } from "../../harness/routing/link.js";
import type { Payment } from "../../harness/routing/outgoing.js";
import type { World } from "../world/world.js";

/** An HTLC of ours and what opens it: a part of a payment, or a forward's (`sentOn`). */
export interface Sent {
  readonly payment: Pick<Payment, "secret">;
  readonly part: OnLink;
}

/** Confirmations after which a failure is final (ANTI_REORG_DELAY). */
export const FINAL_DEPTH = 6;

/** The counterparty's commitment (default: its newest) confirms. */
export const theyClose = (world: World, link: Link, number?: number): Promise<void> =>
  world.mine(1, [broadcastableCommitment(link.channel, "counterparty", number)]);

/** Our own commitment (default: the newest that arrived) confirms. */
export const weClose = (world: World, { channel }: Link, number?: number): Promise<void> =>
  world.mine(1, [broadcastableCommitment(channel, "holder", number ?? channel.received("holder"))]);

/** HTLC-success of a payment on the counterparty's own commitment; shows the preimage. */
export const theirClaim = ({ payment, part }: Sent, number?: number): Uint8Array => {
  const { channel } = part.link;
  const at = number ?? channel.commitment("counterparty").number;
  return htlcSuccessTx(channel, "counterparty", at, part.htlc, payment.secret.preimage);
};

/** The counterparty takes a payment from our commitment; shows the preimage. */
export const theirClaimOnOurs = ({ payment, part }: Sent): Uint8Array => {
  const { channel } = part.link;
  const at = channel.received("holder");
  return claimWithPreimage(channel, "holder", at, part.htlc, payment.secret.preimage);
};

export const mineTo = (world: World, height: number): Promise<void> =>
  world.mine(blockHeight(height) - world.chain.height);

/** The HTLC's output in a commitment of `side` (default: its newest). */
export function outputOf({ part }: Sent, side: Side, number?: number): Outpoint {
  const commitment = part.link.channel.commitment(side, number);
  const { outputIndex } = findUntrimmed(commitment, part.htlc);
  return { txid: commitment.built.txid, vout: outputIndex };
}

/** Past the expiry our claims of these are broadcast and confirm: one block. Returns what it held. */
export async function weTakeBack(
  world: World,
  ...payments: readonly Sent[]
): Promise<readonly Uint8Array[]> {
  const expiries = payments.map(({ part }) => part.htlc.cltvExpiry);
  await mineTo(world, must(expiries.sort((a, b) => b - a)[0], "a payment"));
  return world.mineBroadcasts();
}
