// An LDK node without Farwatch's code: it knows the .proto files and LDK's bytes, nothing else.
//
// It replays what a recorded LDK node gave to its chain::Watch (test/vectors/ldk-fixtures) to a running
// manager-service: every ChannelMonitor and ChannelMonitorUpdate as LDK wrote them. As LDK does with a Watch that
// answers InProgress, it sends on without waiting, and counts an update as stored when Completed comes. It reads
// Subscribe beside that, handles a Completed after the events that precede it, and answers each event with Done.
// At the end it asks for the monitors it would start again from, and prints what it saw as one line of JSON.
//
//   node test/ldk-raw/replay-fixture.mjs --manager localhost:9736 --ca ca.pem --cert node.pem --key node.key \
//     --node-key 02.. --fixture test/vectors/ldk-fixtures/forward_3node.static_remotekey.json --node B \
//     [--epoch 1] [--chain http://127.0.0.1:18080/height]
//
// --chain: where blocks come from in step with the recording; POST {"height": n} shows the chain up to n. Without
// it no block is waited for.
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const NODE_RESOLVES = "ROLE_NODE_RESOLVES";
/** Of LDK's crates; only its presence counts. */
const LDK_VERSION = "0.1.0";
/** How long the services may take for what is asked of them, milliseconds. */
const PATIENCE_MS = 30_000;
/** ChannelMonitorUpdate.write(): version, least version that reads it, u64 update_id. */
const UPDATE_ID_AT = 2;

const WORDS = ["manager", "ca", "cert", "key", "node-key", "fixture", "node", "epoch", "chain"];
const { values: args } = parseArgs({
  options: Object.fromEntries(WORDS.map((word) => [word, { type: "string" }])),
});

const hex = (text) => Buffer.from(text, "hex");
const updateIdOf = (bytes) => bytes.readBigUInt64BE(UPDATE_ID_AT);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, isSo) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`did not happen: ${what}`);
    await sleep(10);
  }
}

function connect() {
  const protos = path.resolve(import.meta.dirname, "../../proto");
  const definition = loader.loadSync("manager/v1/manager_service.proto", {
    includeDirs: [protos],
    keepCase: true,
    longs: String, // u64 do not fit into numbers
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const { ManagerService } = grpc.loadPackageDefinition(definition).farwatch.manager.v1;
  const files = [args.ca, args.key, args.cert].map((file) => fs.readFileSync(file));
  return new ManagerService(args.manager, grpc.credentials.createSsl(...files));
}

class Node {
  #client = connect();
  #metadata = new grpc.Metadata();
  #updates;
  /** Channel to the newest update that was sent, and the newest whose Completed was handled. */
  #sent = new Map();
  #completed = new Map();
  /** Completed that came before the events they follow. */
  #early = [];
  /** Highest item that Subscribe has come to. */
  #reached = 0n;
  #failed;
  /** Items that Done must name. */
  #items = [];
  seen = { watched: 0, sent: 0, accepted: 0, completed: [], events: [], told: [] };

  #call(method, request) {
    return new Promise((resolve, reject) => {
      this.#client[method](request, this.#metadata, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  }

  async open() {
    const { session_id: session, channels } = await this.#call("OpenNodeSession", {
      node_key: hex(args["node-key"]),
      node_epoch: args.epoch ?? String(Date.now()),
      role: NODE_RESOLVES,
      ldk_version: LDK_VERSION,
    });
    this.#metadata.set("farwatch-session", session.toString("hex"));
    const failed = (error) => (this.#failed ??= error);
    this.#updates = this.#client.UpdateChannel(this.#metadata);
    this.#updates.on("data", (message) => this.#answered(message)).on("error", failed);
    const items = this.#client.Subscribe({}, this.#metadata);
    items.on("data", (message) => this.#told(message)).on("error", failed);
    return channels;
  }

  /** chain::Watch::watch_channel, answered InProgress. */
  async watch(channelId, monitor) {
    this.#sent.set(channelId, 0n);
    this.seen.watched += 1;
    await this.#call("WatchChannel", { ldk_monitor: monitor });
  }

  /** chain::Watch::update_channel, answered InProgress. */
  update(channelId, bytes) {
    const id = updateIdOf(bytes);
    this.#sent.set(channelId, id);
    this.seen.sent += 1;
    this.#updates.write({ channel_id: hex(channelId), update_id: String(id), ldk_bytes: bytes });
  }

  #answered({ item, accepted, completed, refused }) {
    if (item === "accepted") this.seen.accepted += accepted.update_id === "0" ? 0 : 1;
    if (item === "completed") this.#early.push(completed);
    if (item === "refused") {
      const { reason, message } = refused.error;
      this.#failed ??= new Error(`update ${refused.update_id} refused: ${reason} (${message})`);
    }
    this.#release();
  }

  #told({ item, event, replay_done: replayDone }) {
    if (item === "event") {
      this.#items.push(event.item_id);
      if (event.item === "monitor_event") this.#handle(event.item_id, event.monitor_event);
      else this.seen.told.push(event.user_event.event); // spendable_outputs: the wallet's
      this.#come(event.item_id);
    } else {
      this.#come(replayDone.last_item_id);
    }
  }

  /** What release_pending_monitor_events would give to the ChannelManager. */
  #handle(itemId, { channel_id: channelId, event_id: eventId, payload }) {
    const channel = channelId.toString("hex");
    this.seen.events.push({ itemId, channel, eventId, payload: payload.toString("hex") });
  }

  #come(itemId) {
    if (BigInt(itemId) > this.#reached) this.#reached = BigInt(itemId);
    this.#release();
  }

  /** Two streams have no order between them: the watermark gives them one. */
  #release() {
    while (this.#early.length > 0) {
      const [{ channel_id: id, update_id: updateId, item_watermark: watermark }] = this.#early;
      if (BigInt(watermark) > this.#reached) return;
      this.#early.shift();
      const channel = id.toString("hex");
      this.#completed.set(channel, BigInt(updateId));
      this.seen.completed.push({ channel, updateId, events: this.seen.events.length });
    }
  }

  /** Nothing is in progress. */
  async idle() {
    await until("everything stored on every monitor", () => {
      if (this.#failed !== undefined) throw this.#failed;
      return [...this.#sent].every(([channel, id]) => (this.#completed.get(channel) ?? -1n) >= id);
    });
  }

  /** After the ChannelManager that has handled them was saved. */
  async done() {
    const items = this.#items.map((itemId) => ({ item_id: itemId, handled: {} }));
    const { unknown_items: unknown } = await this.#call("Done", { items });
    if (unknown.length > 0) throw new Error(`Done: unknown items ${unknown.join()}`);
  }

  async tip(height) {
    await until(`every monitor at height ${height}`, async () => {
      if (this.#failed !== undefined) throw this.#failed;
      for (const channel of this.channels) {
        const { monitors } = await this.#call("GetChannel", { channel_id: hex(channel) });
        const tips = monitors.map(({ channel: view }) => view?.tip?.height ?? 0);
        if (!tips.every((tip) => tip >= height)) return false;
      }
      return true;
    });
  }

  async acked() {
    await until("every event acked", async () => {
      await this.done();
      const { events } = await this.#call("ListPendingEvents", {});
      return events.length === 0;
    });
  }

  /** What LDK would start again from, as of all that was completed. */
  async restart(channelId) {
    const told = String(this.#completed.get(channelId) ?? 0n);
    const request = { channel_id: hex(channelId), told };
    const parts = this.#client.GetLdkMonitor(request, this.#metadata);
    let start;
    const updates = [];
    for await (const { part, ...message } of parts) {
      if (part === "start") start = message.start;
      else updates.push(...message.updates.updates.map((bytes) => bytes.toString("hex")));
    }
    const { monitor, closed, unresolved_htlcs: unresolved } = start;
    const handled = start.handled_htlc_events.length;
    return { monitor: monitor.toString("hex"), updates, closed, unresolved, handled };
  }

  get channels() {
    return [...this.#sent.keys()];
  }

  close() {
    this.#client.close();
  }
}

async function showBlocks(node, height) {
  if (args.chain === undefined) return;
  await node.idle(); // a block may close the channel: what was sent before comes before
  const body = JSON.stringify({ height });
  const answer = await fetch(args.chain, { method: "POST", body });
  if (!answer.ok) throw new Error(`the chain answers ${answer.status}`);
  await node.tip(height);
}

async function replay(node, timeline) {
  for (const [at, entry] of timeline.entries()) {
    switch (entry.type) {
      case "watch_channel":
        await node.watch(entry.channel_id, hex(entry.monitor));
        break;
      case "update_channel":
        node.update(entry.channel_id, hex(entry.update));
        break;
      case "block_connected":
        if (timeline[at + 1]?.type !== "block_connected") await showBlocks(node, entry.height);
        break;
    }
  }
}

/** Only what a Watch and its chain see. */
function timelineOf(recording) {
  const names = new Map();
  const kept = ["watch_channel", "update_channel", "block_connected"];
  return recording.nodes[args.node].timeline
    .filter(({ type }) => kept.includes(type))
    .map((entry) => {
      if (entry.type === "watch_channel") names.set(entry.channel, entry.channel_id);
      return entry.channel === undefined
        ? entry
        : { ...entry, channel_id: names.get(entry.channel) };
    });
}

const node = new Node();
const known = await node.open();
await replay(node, timelineOf(JSON.parse(fs.readFileSync(args.fixture, "utf8"))));
await node.idle();
await node.acked();
const restarts = {};
for (const channel of node.channels) restarts[channel] = await node.restart(channel);
console.log(JSON.stringify({ known: known.length, ...node.seen, restarts }));
node.close();
process.exit(0);
