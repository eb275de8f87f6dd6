/**
 * The story the project exists for: the manager's host is gone, the counterparty cheats, and the monitor
 * alone takes everything; then the monitor crashes too, and no event is lost. Every claim at the end is
 * read back from bitcoind or from the services.
 */
import { randomBytes } from "node:crypto";
import { sat } from "@farwatch/protocol/amount";
import { assert, must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { ChannelType } from "@farwatch/protocol/channel";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import type { MonitorEvent } from "@farwatch/protocol/gen/monitor/v1/event";
import { Transaction } from "bitcoinjs-lib";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import { findSpend, isSpentInMempool, until } from "../harness/cluster/chain-facts.js";
import { LightningNode } from "../harness/cluster/lightning-node.js";
import type { MonitorClient } from "../harness/cluster/monitor-client.js";
import { setStage, type Stage } from "./stage.js";
import type { Timeline } from "./timeline.js";

const CAPACITY = sat(1_000_000);
const PUSHED_MSAT = 450_000_000n;
/** Deep enough for every fact to mature: 6 confirmations of the justice transactions. */
const MATURITY_BLOCKS = 7;

export interface RevokedOutput {
  readonly outpoint: string;
  readonly value_sat: number;
  readonly spent_by: string;
  readonly height: number;
}

export interface DemoResult {
  readonly ok: boolean;
  readonly channel_type: ChannelType;
  readonly payments: number;
  readonly revoked_txid: string;
  readonly justice_txids: readonly string[];
  readonly revoked: readonly RevokedOutput[];
  readonly revoked_outputs: number;
  readonly claimed_outputs: number;
  readonly confiscated_sat: number;
  readonly events_held: number;
  readonly events_replayed: number;
  readonly same_ids: boolean;
  readonly user_events: readonly string[];
  readonly pending_after: number;
  readonly seconds: number;
}

interface Breach extends Stage {
  readonly node: LightningNode;
  readonly monitor: MonitorClient;
  readonly timeline: Timeline;
}

export async function runBreach(
  channelType: ChannelType,
  timeline: Timeline,
  onStage: (stage: Stage) => void,
): Promise<DemoResult> {
  const started = Date.now();
  const seed = Uint8Array.from(randomBytes(32));
  const stage = await setStage(seed, timeline);
  onStage(stage);
  const { bitcoind, cluster } = stage;
  const { curve } = await selectCurve("auto");
  const client = cluster.connectNode(1n);
  await client.connect();
  const node = await LightningNode.open({
    bitcoind,
    client,
    seed,
    channelType,
    capacitySat: CAPACITY,
    pushMsat: PUSHED_MSAT,
    curve,
  });
  const monitor = must(cluster.monitors[0], "monitor").connect();
  const breach = { bitcoind, cluster, node, monitor, timeline };
  timeline.say(
    `channel ${node.channel.channelId.slice(0, 16)}... of ${CAPACITY} sat is open (${channelType})`,
    "good",
  );
  const { payments, cheat } = await payAround(breach);
  const revokedTx = await cheatWhileManagerIsDead(breach, cheat);
  const revoked = await watchJustice(breach, revokedTx);
  const events = await crashTheMonitor(breach);
  const ending = await managerReturns(breach, events.before);
  const destination = toHex(node.channel.setup.sides.holder.party.identity.destinationScript);
  const ours = revoked.filter(({ paysTo }) => paysTo === destination);
  return {
    ok:
      revoked.length > 2 &&
      ours.length === revoked.length &&
      events.same &&
      ending.replayed === events.before.length &&
      ending.pending === 0,
    channel_type: channelType,
    payments,
    revoked_txid: revokedTx.getId(),
    justice_txids: [...new Set(revoked.map(({ spent_by }) => spent_by))],
    revoked: revoked.map(({ paysTo: _paysTo, ...output }) => output),
    revoked_outputs: revoked.length,
    claimed_outputs: ours.length,
    confiscated_sat: ours.reduce((sum, { value_sat }) => sum + value_sat, 0),
    events_held: events.before.length,
    events_replayed: ending.replayed,
    same_ids: events.same,
    user_events: ending.userEvents,
    pending_after: ending.pending,
    seconds: Math.round((Date.now() - started) / 100) / 10,
  };
}

/** Payments both ways; in the middle, a state with HTLCs both ways that the counterparty will abuse. */
async function payAround({ node, timeline }: Breach) {
  timeline.chapter("Payments");
  let payments = 0;
  for (const amount of [20_000n, 15_000n, 9_000n]) {
    await node.fulfill(await node.offerPayment(amount));
    payments += 1;
    await sentPayments(node, payments);
    timeline.say(`paid ${amount} sat; PaymentSent is with the user`);
  }
  const out = [await node.offerPayment(30_000n), await node.offerPayment(12_000n)];
  const incoming = [await node.receiveOffer(25_000n), await node.receiveOffer(18_000n)];
  const cheat = node.channel.commitment("counterparty").number;
  timeline.say(`state ${cheat} has 4 HTLCs in flight; the counterparty keeps a copy of it`);
  for (const htlc of [...out, ...incoming]) {
    await node.fulfill(htlc);
    payments += 1;
  }
  await node.offerPayment(40_000n);
  await node.receiveOffer(22_000n);
  timeline.say(`${payments} payments done, 2 HTLCs pending; state ${cheat} is revoked`, "good");
  await sentPayments(node, payments - incoming.length);
  await acknowledge(node);
  return { payments, cheat };
}

/** Waits until the user was told of so many payments of ours. */
function sentPayments({ client }: LightningNode, count: number): Promise<void> {
  const sent = (): number =>
    client.items.filter(
      ({ item }) => item?.$case === "userEvent" && item.value.event?.$case === "paymentSent",
    ).length;
  return until(`${count} PaymentSent`, () => sent() === count);
}

/** The user handles everything told so far; the manager acks it. */
async function acknowledge({ client }: LightningNode): Promise<void> {
  await client.done(client.items.map(({ itemId }) => itemId));
}

async function cheatWhileManagerIsDead(
  { bitcoind, cluster, node, monitor, timeline }: Breach,
  cheat: number,
): Promise<Transaction> {
  timeline.chapter("The breach");
  await until("all payment events acked", async () => (await monitor.pendingEvents()).length === 0);
  node.client.close();
  const { pid } = cluster.manager;
  await cluster.manager.kill9();
  timeline.say(`kill -9 ${pid}: the manager is gone`, "bad");
  const raw = broadcastableCommitment(node.channel, "counterparty", cheat);
  const tx = Transaction.fromBuffer(Buffer.from(raw));
  await bitcoind.rpc("sendrawtransaction", [toHex(raw)]);
  await bitcoind.mine(1);
  timeline.say(`the counterparty published revoked state ${cheat}: ${tx.getId()}`, "bad");
  return tx;
}

/** The cheater's outputs are all but our own to_remote and the anchors. */
async function watchJustice({ bitcoind, node, timeline }: Breach, revokedTx: Transaction) {
  const { built } = node.channel.commitment(
    "counterparty",
    node.channel.revokedBelow("counterparty") > 0 ? findNumber(node, revokedTx) : 0,
  );
  const indices = [built.toLocalIndex, ...built.htlcOutputIndex].filter(
    (index) => index !== undefined,
  );
  const txid = revokedTx.getId();
  const height = await bitcoind.height();
  for (const vout of indices) {
    await until(`a justice transaction for output ${vout}`, () =>
      isSpentInMempool(bitcoind, { txid, vout }),
    );
  }
  timeline.say(`the monitor alone spends all ${indices.length} revoked outputs`, "good");
  await bitcoind.mine(1);
  const revoked = [];
  for (const vout of [...indices].sort((a, b) => a - b)) {
    const spend = must(await findSpend(bitcoind, { txid, vout }, height), "confirmed spend");
    const value = Number(must(revokedTx.outs[vout], "output").value);
    timeline.say(`output ${vout}: ${value} sat -> ${spend.txid} in block ${spend.height}`, "money");
    revoked.push({
      outpoint: `${txid}:${vout}`,
      value_sat: value,
      spent_by: spend.txid,
      height: spend.height,
      paysTo: must(spend.tx.vout[0], "output").scriptPubKey.hex,
    });
  }
  await bitcoind.mine(MATURITY_BLOCKS);
  timeline.say(`${MATURITY_BLOCKS} blocks later the confiscation is final`);
  return revoked;
}

function findNumber({ channel }: LightningNode, tx: Transaction): number {
  for (let number = 0; number < channel.revokedBelow("counterparty"); number++) {
    if (channel.commitment("counterparty", number).built.txid === tx.getId()) return number;
  }
  throw new Error("the published commitment is not a revoked one");
}

const idsOf = (events: readonly MonitorEvent[]): readonly string[] =>
  events.map(({ eventId, eventHash }) => `${eventId}:${toHex(eventHash)}`);

async function crashTheMonitor({ bitcoind, cluster, monitor, timeline }: Breach) {
  timeline.chapter("The second crash");
  const { process } = must(cluster.monitors[0], "monitor");
  const height = await bitcoind.height();
  await until("the monitor at the tip", async () => (await monitor.info()).tip?.height === height);
  const before = await monitor.pendingEvents();
  assert(before.length > 0, "the monitor holds events for the dead manager");
  timeline.say(`the monitor holds ${before.length} events for a manager that is not there`);
  const { pid } = process;
  await process.kill9();
  timeline.say(`kill -9 ${pid}: the monitor is gone too`, "bad");
  await process.start();
  const after = await monitor.pendingEvents();
  const same = JSON.stringify(idsOf(before)) === JSON.stringify(idsOf(after));
  timeline.say(
    `restarted, it holds ${after.length} events${same ? " with the same ids and hashes" : ""}`,
    same ? "good" : "bad",
  );
  return { before, same };
}

async function managerReturns(
  { cluster, node, monitor, timeline }: Breach,
  held: readonly MonitorEvent[],
) {
  timeline.chapter("The manager returns");
  await cluster.manager.start();
  const client = cluster.connectNode(2n, node.cursor());
  await client.connect();
  node.useClient(client);
  const received = async () => {
    const { events } = await client.call<{
      readonly events: readonly { readonly eventId: bigint; readonly eventHash: Uint8Array }[];
    }>((done) => client.rpc.listPendingEvents({}, client.metadata, done));
    return events.map(({ eventId, eventHash }) => `${eventId}:${toHex(eventHash)}`);
  };
  const seen = new Set<string>();
  const wanted = idsOf(held);
  await until("every held event replayed to the manager", async () => {
    for (const id of await received()) seen.add(id);
    const acked = (await monitor.pendingEvents()).map(({ eventId }) => eventId);
    for (const event of held) {
      if (!acked.includes(event.eventId)) seen.add(must(idsOf([event])[0], "id"));
    }
    return wanted.every((id) => seen.has(id));
  });
  timeline.say(`the manager received the same ${wanted.length} events`, "good");
  const userEvents: string[] = [];
  const handled = new Set<bigint>();
  await until("the monitor has no pending event", async () => {
    for (const { itemId, item } of client.items) {
      if (handled.has(itemId)) continue;
      handled.add(itemId);
      const event = item?.$case === "userEvent" ? item.value.event?.$case : item?.$case;
      if (event !== "command") userEvents.push(event ?? "unknown");
      await client.done([itemId]);
    }
    return (await monitor.pendingEvents()).length === 0;
  });
  for (const event of userEvents) timeline.say(`the user handled ${event}`);
  const pending = (await monitor.pendingEvents()).length;
  timeline.say(`every event is acked; the monitor holds ${pending}`, "good");
  client.close();
  monitor.close();
  return { replayed: wanted.filter((id) => seen.has(id)).length, pending, userEvents };
}
