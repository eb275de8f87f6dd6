/**
 * Goal: a node in any language can keep its monitors here with LDK's bytes and the .proto files alone. Method: a
 * plain script without our code replays a recorded LDK node, three parties and a claim on the chain, to a manager
 * with two monitors, processes of their own over mutual TLS, while the recorded chain is shown to the monitors.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import { createCluster, type Cluster } from "../harness/cluster/cluster.js";
import { rebuildChain } from "../harness/recorded-chain/rebuilt-chain.js";
import { RecordedBitcoind } from "../harness/recorded-chain/recorded-bitcoind.js";
import { readRecording } from "@farwatch/monitor-service/replay/read-recording";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { REGTEST_CHAIN_HASH } from "../harness/channel/setup.js";
import { removeFolder } from "../harness/bitcoind/children.js";

const root = path.resolve(import.meta.dirname, "../../..");
const script = path.join(root, "test/ldk-raw/replay-fixture.mjs");
const recordedIn = path.join(root, "test/vectors/ldk-fixtures/forward_3node.static_remotekey.json");
const NODE = "B";

interface Seen {
  readonly known: number;
  readonly watched: number;
  readonly sent: number;
  readonly accepted: number;
  readonly told: readonly string[];
  readonly completed: readonly { channel: string; updateId: string; events: number }[];
  readonly events: readonly { itemId: string; channel: string; payload: string }[];
  readonly restarts: Readonly<
    Record<
      string,
      {
        readonly monitor: string;
        readonly updates: readonly string[];
        readonly closed: boolean;
        readonly unresolved: number;
        readonly handled: number;
      }
    >
  >;
}

describe("a node that has only LDK's bytes and the .proto files", function () {
  this.timeout(60_000);
  const recording = readRecording(recordedIn);
  const recorded = must(recording.nodes[NODE], "the node");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-ldk-raw-"));
  const fixture = path.join(folder, "fixture.json");
  const { blocks, translate: translated } = rebuildChain([...recording.blocks.values()]);
  let chain: RecordedBitcoind;
  let cluster: Cluster;
  before(async () => {
    fs.writeFileSync(fixture, translated(fs.readFileSync(recordedIn, "utf8")));
    const [first] = recording.blocks.values();
    chain = await RecordedBitcoind.start(blocks, must(first, "a block").height - 1, folder);
    const seed = fromHex(recorded.seed);
    const chainOptions = { bitcoind: chain, pollSeconds: 0.1, feeWallet: "events" } as const;
    cluster = await createCluster({ ...chainOptions, seed, monitors: 2 });
    await cluster.startAll();
  });
  after(async () => {
    await cluster.stop();
    await chain.stop();
    removeFolder(folder);
  });

  async function run(): Promise<Seen> {
    const { address, caFile, certFile, keyFile, nodeKey } = cluster.nodeAccess;
    const words = { manager: address, ca: caFile, cert: certFile, key: keyFile, fixture };
    const more = { "node-key": nodeKey, node: NODE, chain: chain.controlUrl };
    const args = Object.entries({ ...words, ...more }).flatMap(([name, value]) => [
      `--${name}`,
      value,
    ]);
    const child = spawn(process.execPath, [script, ...args]);
    const out: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(code, 0, Buffer.concat(errors).toString("utf8"));
    return JSON.parse(Buffer.concat(out).toString("utf8"));
  }

  it("watches, updates, hears events in order, and gets its monitors back", async () => {
    const seen = await run();
    const ofType = (type: string) => recorded.timeline.filter((entry) => entry.type === type);
    const updates = ofType("update_channel").length;
    assert.deepEqual([seen.known, seen.watched, seen.sent], [0, 2, updates]);
    assert.equal(seen.accepted, updates);
    assert.deepEqual([...new Set(seen.told)], ["spendable_outputs"], "and no alarm");
    checkEvents(seen);
    for (const entry of ofType("watch_channel")) {
      assert.ok(entry.type === "watch_channel");
      checkRestart(entry, seen);
    }
  });

  function expectedEvents() {
    const { monitor_events: events } = must(recording.expect?.[NODE], "what LDK's monitor did");
    return events.filter(({ type }) => type === "HTLCEvent");
  }

  /** Those of the chain are LDK's own monitor's; those of an update came before its Completed. */
  function checkEvents({ events, completed }: Seen): void {
    const onChain: (readonly [string, string | null])[] = [];
    let offChain = 0;
    for (const [index, { channel, payload }] of events.entries()) {
      const event = decodeEventPayload(fromHex(payload));
      assert.ok(event.ok);
      const { body, origin } = event.value;
      if (body.kind !== "htlcEvent") continue;
      if (origin.kind === "update") {
        offChain += 1;
        const id = origin.updateId;
        const told = completed.find(
          (each) => each.channel === channel && BigInt(each.updateId) >= id,
        );
        assert.ok(must(told, "completed").events > index, `completed ${id} before its event`);
        continue;
      }
      const { resolution, paymentHash } = body;
      onChain.push([
        paymentHash,
        resolution.kind === "claimed" ? toHex(resolution.preimage) : null,
      ]);
    }
    assert.ok(offChain > 0, "a payment was settled off chain");
    assert.deepEqual(
      onChain,
      expectedEvents().map((event) => [event.payment_hash, event.payment_preimage]),
    );
  }

  /** The log of a channel as it is given back, and what became of the channel. */
  function checkRestart(
    { channel, monitor }: { readonly channel: string; readonly monitor: string },
    { restarts, completed }: Seen,
  ): void {
    const read = readLdkMonitor(fromHex(translated(monitor)), REGTEST_CHAIN_HASH, nobleCurve);
    assert.ok(read.ok);
    const id = read.value.initial.parameters.channelId;
    const restart = must(restarts[id], "a channel");
    assert.equal(restart.monitor, translated(monitor));
    const updates = recorded.timeline.flatMap((entry) =>
      entry.type === "update_channel" && entry.channel === channel ? [entry.update] : [],
    );
    assert.deepEqual(restart.updates, updates);
    const own = completed.filter((each) => each.channel === id);
    assert.equal(own.at(-1)?.updateId, String(updates.length));
    const ofChannel = expectedEvents().filter((event) => event.channel === channel);
    assert.equal(restart.handled, ofChannel.length, "events to be told again");
    assert.equal(restart.closed, ofChannel.length > 0);
    assert.equal(restart.unresolved, 0);
  }
});
