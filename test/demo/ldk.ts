/**
 * Two real LDK nodes, each a process of its own, with all their ChannelMonitors in Farwatch. A's process is
 * killed; its peer B, another LDK node, publishes a commitment it has revoked. Farwatch punishes it alone. A
 * starts again from the one file on its disk and is told what happened. What is shown is read back from
 * bitcoind and from the monitor.
 */
import fs from "node:fs";
import { must } from "@farwatch/protocol/assert";
import type { ChannelType } from "@farwatch/protocol/channel";
import { startRegtest } from "../harness/bitcoind/node.js";
import type { BlockTx } from "../harness/cluster/chain-facts.js";
import { until } from "../harness/cluster/chain-facts.js";
import { toSat } from "../harness/ldk-node/chain-index.js";
import { Lane, type Channel, type LaneBook } from "../harness/ldk-node/lane.js";
import { Lockstep } from "../harness/ldk-node/lockstep.js";
import type { Commitment } from "../harness/ldk-node/protocol.js";
import { LdkWorld } from "../harness/ldk-node/world.js";
import type { DemoStage } from "./run-demo.js";
import type { Timeline } from "./timeline.js";

/** BOLT 3. */
const ANCHOR_SAT = 330n;
const OLD_MSAT = 100_000_000n;
const NEW_MSAT = 250_000_000n;

export interface LdkResult {
  readonly ok: boolean;
  readonly channel_type: ChannelType;
  readonly killed_pid: number;
  readonly restarted_pid: number;
  /** In the folder of A's LDK while it is dead. */
  readonly files_of_a: readonly string[];
  readonly revoked_txid: string;
  readonly justice_txids: readonly string[];
  readonly height: number;
  /** What B's old commitment gave B. */
  readonly stolen_sat: number;
  /** Of that, in B's wallet in the end. */
  readonly kept_by_cheater_sat: number;
  /** In A's wallet out of the channel, with the fees of its own transactions. */
  readonly received_sat: number;
  readonly capacity_sat: number;
  readonly punished_while_dead: boolean;
  readonly channel_closed_events: number;
  readonly events_told: readonly string[];
  readonly pending_after: number;
  readonly seconds: number;
}

interface Play {
  readonly world: LdkWorld;
  readonly lane: Lane;
  readonly timeline: Timeline;
  readonly channel: Channel;
}

export async function runLdk(
  channelType: ChannelType,
  timeline: Timeline,
  onStage: (stage: DemoStage) => void,
): Promise<LdkResult> {
  const started = Date.now();
  timeline.chapter("The stage");
  const bitcoind = await startRegtest({ zmq: true });
  const world = await LdkWorld.open({ nodes: { A: 1, B: 1 }, bitcoind });
  onStage({ bitcoind, cluster: { stop: () => world.close() } });
  const pace = new Lockstep((blocks) => world.mine(blocks));
  const type = channelType === "static_remote_key" ? channelType : "anchors_zero_fee_htlc";
  const lane = new Lane(type, world, pace, emptyBook());
  const [result] = await pace.run([() => play(lane, timeline, started)]);
  const played = must(result, "the play");
  if (played.status === "rejected") throw played.reason;
  return played.value;
}

const emptyBook = (): LaneBook => ({
  unconfirmed: new Map(),
  nextUserId: 1n,
  toWallets: new Map(),
  fundings: [],
});

async function play(lane: Lane, timeline: Timeline, started: number): Promise<LdkResult> {
  const { world } = lane;
  const scene = { world, lane, timeline, channel: await openChannel(lane, timeline) };
  const old = await payments(scene);
  const { killedPid, files } = await killNode(scene);
  const punished = await cheat(scene, old);
  timeline.chapter("A returns");
  await lane.node("A").start();
  await world.connect("A", "B");
  timeline.say(`A's LDK runs again, as pid ${lane.node("A").pid}`);
  await lane.closed("A", scene.channel, ["CommitmentTxConfirmed"]);
  timeline.say("LDK says ChannelClosed: CommitmentTxConfirmed", "good");
  const { received, kept } = await settle(scene);
  const told = (await lane.node("A").call("events", { since: 0 })).map(({ type }) => String(type));
  const pending = await pendingEvents(world);
  const closedEvents = told.filter((type) => type === "ChannelClosed").length;
  const capacity = scene.channel.valueSat;
  return {
    ok:
      closedEvents === 1 &&
      punished.whileDead &&
      punished.justice.length > 0 &&
      received === capacity &&
      kept === 0n &&
      pending === 0,
    channel_type: lane.type,
    killed_pid: killedPid,
    restarted_pid: lane.node("A").pid,
    files_of_a: files,
    revoked_txid: old.txid,
    justice_txids: punished.justice,
    height: punished.height,
    stolen_sat: Number(punished.stolen),
    kept_by_cheater_sat: Number(kept),
    received_sat: Number(received),
    capacity_sat: Number(capacity),
    punished_while_dead: punished.whileDead,
    channel_closed_events: closedEvents,
    events_told: told,
    pending_after: pending,
    seconds: Math.round((Date.now() - started) / 100) / 10,
  };
}

async function openChannel(lane: Lane, timeline: Timeline): Promise<Channel> {
  const { world } = lane;
  for (const name of ["A", "B"]) {
    const { manager, monitors } = world.services(name);
    const monitor = must(monitors[0], "a monitor").process.pid;
    const pid = lane.node(name).pid;
    timeline.say(`LDK node ${name}: pid ${pid}; manager ${manager.pid}, monitor ${monitor}`);
  }
  await world.connect("A", "B");
  const channel = await lane.open("A", "B");
  timeline.say(`channel ${channel.channelId.slice(0, 16)}... of ${channel.valueSat} sat`, "good");
  return channel;
}

/** B's commitment in between is the one it will regret to have kept. */
async function payments({ lane, channel, timeline }: Play): Promise<Commitment> {
  timeline.chapter("Payments");
  await lane.settled(await lane.pay("A", [channel], { msat: OLD_MSAT }));
  timeline.say(`A pays B ${OLD_MSAT / 1_000n} sat`, "good");
  const { channelId } = channel;
  const old = await lane.node("B").call("commitment", { channelId, updateId: "latest" });
  await lane.settled(await lane.pay("B", [channel], { msat: NEW_MSAT }));
  timeline.say(`B pays A ${NEW_MSAT / 1_000n} sat, and keeps a copy of its old commitment`, "good");
  return old;
}

async function killNode({ lane, timeline }: Play) {
  timeline.chapter("kill -9");
  const node = lane.node("A");
  const killedPid = node.pid;
  await node.kill9();
  const files = fs.readdirSync(node.plan.folder).sort();
  timeline.say(`A's LDK (pid ${killedPid}) is dead; its folder holds ${files.join(", ")}`, "bad");
  return { killedPid, files };
}

async function cheat({ world, lane, timeline }: Play, old: Commitment) {
  timeline.chapter("B cheats");
  await world.bitcoind.rpc("sendrawtransaction", [old.raw]);
  await lane.pace.mine(1);
  await world.index.update();
  const commitment = must(world.index.transaction(old.txid), "the revoked commitment");
  const height = await world.bitcoind.height();
  timeline.say(`B's revoked commitment ${old.txid.slice(0, 16)}... is in block ${height}`, "bad");
  let justice: readonly BlockTx[] = [];
  await lane.mineUntil(
    "justice is in a block",
    async () => {
      await world.index.update();
      justice = spendersOf(world, commitment);
      return justice.length > 0;
    },
    1,
  );
  const whileDead = !lane.node("A").isRunning;
  const taken = justice.flatMap(({ vin }) => vin).filter(({ txid }) => txid === old.txid);
  const stolen = taken.reduce((sum, { vout }) => sum + valueOf(commitment, vout), 0n);
  for (const { txid } of justice)
    timeline.say(`Farwatch takes ${stolen} sat with ${txid.slice(0, 16)}...`, "money");
  return { justice: justice.map(({ txid }) => txid), whileDead, stolen, height };
}

/** Those that take what is the cheater's: the anchors and A's own output apart. */
function spendersOf(world: LdkWorld, commitment: BlockTx): BlockTx[] {
  const spenders = commitment.vout
    .filter(({ value }) => toSat(value) !== ANCHOR_SAT)
    .flatMap(({ n }) => world.index.spenderOf(`${commitment.txid}:${n}`) ?? []);
  return [...new Set(spenders)];
}

const valueOf = ({ vout }: BlockTx, index: number | undefined): bigint =>
  toSat(must(vout[must(index, "an output")], "an output").value);

/** LDK sweeps what Farwatch tells it is its own, until all of the channel is in wallets. */
async function settle({ lane, channel, timeline }: Play) {
  channel.owes.set("A", channel.valueSat * 1_000n);
  channel.owes.set("B", 0n);
  const { net } = await lane.conserved(channel, { payer: "A" });
  const received = net.get("A") ?? 0n;
  const kept = net.get("B") ?? 0n;
  timeline.say(`A has all ${received} sat (fees counted as its own), B ${kept} sat`, "money");
  return { received, kept };
}

/** A's monitor holds nothing that A has not handled. */
async function pendingEvents(world: LdkWorld): Promise<number> {
  const monitor = must(world.services("A").monitors[0], "A's monitor").connect();
  try {
    let pending = -1;
    await until("A has handled everything", async () => {
      pending = (await monitor.pendingEvents()).length;
      return pending === 0;
    });
    return pending;
  } finally {
    monitor.close();
  }
}
