/** The acts of the forwarding story, each with what it found. */
import { randomBytes } from "node:crypto";
import { Transaction } from "bitcoinjs-lib";
import { msat, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { ChannelType } from "@farwatch/protocol/channel";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import {
  broadcastableCommitment,
  finishedTx,
  secondStageDraft,
} from "../harness/channel/broadcast.js";
import type { Secret } from "../harness/channel/test-channel.js";
import { withWalletFee } from "../harness/channel/wallet-fee.js";
import { until } from "../harness/cluster/chain-facts.js";
import { regtestFunder } from "../harness/cluster/funding.js";
import type { MonitorClient } from "../harness/cluster/monitor-client.js";
import type { NodeClient } from "../harness/cluster/node-client.js";
import type { Link, OnLink } from "../harness/routing/link.js";
import type { NodeMemory } from "../harness/routing/memory.js";
import { RoutingNode, type Received } from "../harness/routing/routing-node.js";
import { findClaim, Witness, type Sighting } from "./forward-witness.js";
import { setStage, type Stage } from "./stage.js";
import type { Timeline } from "./timeline.js";

const CAPACITY = sat(1_000_000);
const PUSHED = msat(450_000_000);
const ORDINARY = msat(20_000_000);
const OFFERED = msat(60_000_000);
/** 100 sat for B. */
const FORWARDED = msat(59_900_000);
export const FEE_MSAT = OFFERED - FORWARDED;
/** Of C's second stage on anchor channels: above the relay minimum for its 300 vbytes. */
const SUCCESS_FEE_SAT = 2_000n;
/** Every fact matures: 6 confirmations. */
const MATURITY_BLOCKS = 7;

export interface Play extends Stage {
  readonly channelType: ChannelType;
  readonly node: RoutingNode<NodeClient>;
  readonly monitor: MonitorClient;
  readonly timeline: Timeline;
  readonly ab: Link;
  readonly bc: Link;
}

export async function openPlay(
  channelType: ChannelType,
  timeline: Timeline,
  onStage: (stage: Stage) => void,
): Promise<Play> {
  const seed = Uint8Array.from(randomBytes(32));
  const stage = await setStage(seed, timeline);
  onStage(stage);
  const { bitcoind, cluster } = stage;
  const connection = cluster.connectNode(1n);
  await connection.connect();
  const funder = regtestFunder(bitcoind);
  const node = new RoutingNode({ connection, funder, height: () => bitcoind.height() });
  const { curve } = await selectCurve("auto");
  const terms = { channelType, capacitySat: CAPACITY, pushMsat: PUSHED, curve };
  const ab = await node.openChannel("A-B", { ...terms, holder: { seed } });
  const bc = await node.openChannel("B-C", {
    ...terms,
    holder: { seed },
    counterparty: { seed: Uint8Array.from(randomBytes(32)) },
  });
  for (const { name, channelId } of [ab, bc]) {
    timeline.say(`channel ${name} ${channelId.slice(0, 16)}... of ${CAPACITY} sat is open`, "good");
  }
  const monitor = must(cluster.monitors[0], "monitor").connect();
  return { ...stage, channelType, node, monitor, timeline, ab, bc };
}

/** Off chain, as it is most of the time: C fulfils, B's manager has B claim from A. */
export async function forwardOrdinarily({ node, monitor, timeline, ab, bc }: Play): Promise<void> {
  timeline.chapter("An ordinary forward");
  const inbound = await node.receive(ab, ORDINARY);
  const leg = await node.forward(inbound, bc);
  await bc.channel.fulfillHtlc(leg.htlc, inbound.secret.preimage);
  await bc.settle();
  await claimed(node, inbound);
  await ab.settle();
  await until("PaymentForwarded, and its event acked", async () => {
    await node.handleItems();
    const isTold = node.eventsOf("paymentForwarded").length === 1;
    return isTold && (await monitor.pendingEvents()).length === 0;
  });
  timeline.say("A -> B -> C off chain: PaymentForwarded told, every event acked", "good");
}

/** The HTLC that the story is about, committed on both channels. */
export async function offerForward({ node, timeline, ab, bc }: Play) {
  const inbound = await node.receive(ab, OFFERED);
  const leg = await node.forward(inbound, bc, { amountMsat: FORWARDED });
  timeline.say(`A offered ${OFFERED / 1000n} sat, B offers C ${FORWARDED / 1000n} sat of it`);
  return { inbound, leg };
}

export async function killManager({ node, cluster, timeline }: Play): Promise<void> {
  node.connection.close();
  const { pid } = cluster.manager;
  await cluster.manager.kill9();
  timeline.say(`kill -9 ${pid}: B's manager is gone`, "bad");
}

export interface OnChainClaim {
  readonly commitmentTxid: string;
  readonly successTxid: string;
  readonly height: number;
  readonly claimedSat: number;
}

/** C publishes its commitment and takes the HTLC with the preimage. */
export async function claimOnChain(play: Play, leg: OnLink, secret: Secret): Promise<OnChainClaim> {
  const { bitcoind, timeline, bc, channelType } = play;
  const { number, built } = bc.channel.commitment("counterparty");
  const send = async (raw: Uint8Array): Promise<void> => {
    await bitcoind.rpc("sendrawtransaction", [toHex(raw)]);
    await bitcoind.mine(1);
  };
  await send(broadcastableCommitment(bc.channel, "counterparty"));
  timeline.say(`C published its commitment ${built.txid}`, "bad");
  const draft = secondStageDraft(bc.channel, "counterparty", number, leg.htlc, secret.preimage);
  const success =
    channelType === "static_remote_key"
      ? finishedTx(draft)
      : await withWalletFee(bitcoind.wallet, draft, SUCCESS_FEE_SAT);
  await send(success);
  const tx = Transaction.fromBuffer(Buffer.from(success));
  const claimedSat = Number(must(tx.outs[0], "output").value);
  const height = await bitcoind.height();
  timeline.say(
    `C took ${claimedSat} sat with the preimage in ${tx.getId()}, block ${height}`,
    "bad",
  );
  return { commitmentTxid: built.txid, successTxid: tx.getId(), height, claimedSat };
}

/** What the monitor found out with nobody there to tell. */
export async function monitorAlone({ monitor, timeline, ab, bc }: Play, { htlc }: Received) {
  const find = async () => findClaim(await monitor.pendingEvents(), bc.channelId);
  await until("the monitor sees the preimage", async () => (await find()) !== undefined);
  const event = must(await find(), "the claim");
  const held = (await monitor.pendingEvents()).length;
  timeline.say(`the monitor holds ${held} events; one says that C claimed the HTLC`);
  const { preimagesKnown } = await monitor.channel(ab.channelId);
  const relayed = preimagesKnown.some((hash) => toHex(hash) === htlc.paymentHash);
  if (relayed) timeline.say("it could claim from A by itself: A-B has the preimage too", "good");
  return { event, held, relayed };
}

/** The manager's process, and the node in a new session with this memory. */
export async function restart(
  { cluster, node, timeline }: Play,
  epoch: bigint,
  memory?: NodeMemory,
) {
  await cluster.manager.start();
  await node.restart(async (channels) => {
    const connection = cluster.connectNode(epoch, [...channels]);
    await connection.connect();
    return connection;
  }, memory);
  await until("the end of the replay", () => node.connection.replayDone);
  timeline.say(`manager-service is back as pid ${cluster.manager.pid}; B opened session ${epoch}`);
}

/** Waits until the node was told to claim and has sent update_fulfill_htlc. */
async function claimed(node: RoutingNode<NodeClient>, { link, htlc }: OnLink): Promise<void> {
  await until("ClaimInbound obeyed", async () => {
    await node.handleItems();
    return link.sent.some(({ htlcId, kind }) => htlcId === htlc.id && kind === "claim");
  });
}

/** B takes the money from A step by step, watching the event; the monitor dies at the last one. */
export async function claimUpstream(
  play: Play,
  event: Awaited<ReturnType<typeof monitorAlone>>["event"],
  inbound: Received,
): Promise<readonly Sighting[]> {
  const { node, cluster, timeline, ab } = play;
  const witness = new Witness(play, event);
  await claimed(node, inbound);
  timeline.say("ClaimInbound: B sent A update_fulfill_htlc with C's preimage", "good");
  await until("PaymentForwarded", async () => {
    await node.handleItems();
    return node.eventsOf("paymentForwarded").length === 2;
  });
  timeline.say("PaymentForwarded, claim_from_onchain: the user handled it", "money");
  await witness.see("A has the preimage, no commitment without the HTLC", false);
  await ab.commit("holder");
  await witness.see("A has a commitment without the HTLC, the one with it is not revoked", false);
  const { process } = must(cluster.monitors[0], "monitor");
  const { pid } = process;
  await process.kill9();
  timeline.say(`kill -9 ${pid}: the monitor is gone`, "bad");
  const revoked = ab.revoke("counterparty");
  await until("the manager has A's revocation", () => isAccepted(play));
  await witness.see("A revoked, the monitor does not have it", false, false);
  await process.start();
  timeline.say("the monitor is back");
  await revoked;
  await until("the ack", async () => {
    const pending = await play.monitor.pendingEvents();
    return !pending.some(
      ({ eventId, channelId }) => eventId === event.eventId && channelId.equals(event.channelId),
    );
  });
  await witness.see("A's revocation is durable at the monitor", true);
  await ab.settle();
  return witness.sightings;
}

/** The newest update of A-B is stored by the manager. */
async function isAccepted({ node, ab }: Play): Promise<boolean> {
  const { connection } = node;
  const channelId = ab.cursor().channelId;
  const { acceptedId } = await connection.call<{ readonly acceptedId: bigint }>((done) =>
    connection.rpc.getChannel({ channelId }, connection.metadata, done),
  );
  return acceptedId === ab.lastUpdateId;
}

/** Blocks pass and everything is handled. */
export async function letItMature({ node, monitor, bitcoind, timeline }: Play): Promise<void> {
  await bitcoind.mine(MATURITY_BLOCKS);
  const height = await bitcoind.height();
  await until("everything handled and acked", async () => {
    await node.handleItems();
    const isAtTip = (await monitor.info()).tip?.height === height;
    return isAtTip && (await monitor.pendingEvents()).length === 0;
  });
  timeline.say(
    `${MATURITY_BLOCKS} blocks later every event is acked; the monitor holds none`,
    "good",
  );
}

/** Satoshis B has from A in A-B beyond what it began with. */
export function receivedSat({ ab }: Play): number {
  const { holder } = ab.channel.commitment("counterparty").state.balanceMsat;
  return Number(holder - (CAPACITY * 1000n - PUSHED)) / 1000;
}
export const EXPECTED_SAT = Number(ORDINARY + OFFERED) / 1000;
