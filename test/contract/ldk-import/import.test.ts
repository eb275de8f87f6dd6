/**
 * Channels of recorded LDK nodes, imported in the middle of their life from monitors that LDK itself wrote:
 * after every update the state is the one that came out of the updates one by one, and what follows ends as
 * LDK's own monitor ended it.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { compareNode } from "@farwatch/monitor-service/replay/compare";
import { verdictText } from "@farwatch/monitor-service/replay/command";
import { readRecording, type Recording } from "@farwatch/monitor-service/replay/read-recording";
import { replayNode } from "@farwatch/monitor-service/replay/replay-node";
import { ReplayedChannel } from "@farwatch/monitor-service/replay/replayed-channel";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { MemoryFloors } from "@farwatch/monitor-service/signer/holder-floors";
import { loadLdk } from "../../fixture-recorder/ldk/module.js";
import { seedSigner } from "../../harness/channel/seed-signer.js";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { midLifeMonitors, type MidLife } from "./mid-life.js";

/** From test/dist/contract/ldk-import. */
const vectors = new URL("../../../vectors/", import.meta.url);
const recordings = ["ldk-fixtures", "ldk-recorded"].flatMap((folder) =>
  readdirSync(new URL(folder, vectors))
    .filter((name) => name.endsWith(".json"))
    .map((name) => ({ folder, name })),
);
/** Every state is imported and compared; so many, the last open one among them, are replayed to the end. */
const REPLAYED = 2;

/** What updates decide. The chain is behind both. */
const known = (state: MonitorState) => ({
  latestUpdateId: state.latestUpdateId,
  holder: state.holder,
  holderPrevious: state.holderPrevious,
  counterparty: state.counterparty,
  counterpartyPrevious: state.counterpartyPrevious,
  secrets: state.secrets,
  shutdownScript: state.shutdownScript,
  holderFloor: state.holderFloor,
});

describe("channels imported from LDK in the middle of their life", function () {
  this.timeout(120_000);
  let curve: Curve;
  before(async () => {
    ({ curve } = await selectCurve("auto"));
    await loadLdk();
  });

  for (const { folder, name: file } of recordings) {
    const recording = readRecording(fileURLToPath(new URL(`${folder}/${file}`, vectors)));
    for (const name of Object.keys(recording.expect ?? {})) {
      it(`${file} ${name}`, () => {
        const open = importedOf(curve, recording, name);
        assert.ok(open.length >= 10);
        const step = Math.ceil(open.length / REPLAYED);
        for (const midLife of open.filter((_, index) => (open.length - 1 - index) % step === 0)) {
          const started = startingAt(recording, name, midLife);
          const node = replayNode(started, name, curve, { fromSnapshot: true });
          const verdict = compareNode(started, name, node);
          assert.equal(verdict.problems.length, 0, verdictText(`${midLife.taken}`, verdict));
        }
      });
    }
  }
});

/** Those that are open; from the first that is closing on, all are refused. */
function importedOf(curve: Curve, recording: Recording, name: string): readonly MidLife[] {
  const { seed } = must(recording.nodes[name], "a recorded node");
  const floors = new MemoryFloors();
  const tools = {
    context: { curve },
    floors,
    signer: seedSigner(curve, fromHex(seed), floors),
    chainHash: REGTEST_CHAIN_HASH,
  };
  const stepped = new SteppedChannels(recording, name, (channel, monitor) =>
    ReplayedChannel.watch(tools, channel, monitor),
  );
  const open: MidLife[] = [];
  let isClosing = false;
  for (const midLife of midLifeMonitors(recording, name)) {
    const refusals = [...midLife.monitors.values()].flatMap((monitor) => {
      const read = readLdkMonitor(monitor, REGTEST_CHAIN_HASH, curve);
      return read.ok ? [] : [read.error];
    });
    isClosing ||= refusals.length > 0;
    assert.equal(refusals.length > 0, isClosing);
    for (const refusal of refusals) {
      assert.deepEqual([refusal.reason, refusal.details["cause"]], ["notImportable", "closing"]);
    }
    if (isClosing) continue;
    open.push(midLife);
    for (const [channel, monitor] of midLife.monitors) {
      const imported = ReplayedChannel.watch(tools, channel, monitor);
      const { state } = stepped.at(midLife.taken, channel);
      assert.deepEqual(known(imported.state), known(state), `update ${state.latestUpdateId}`);
      assertKnows(imported.state, state);
    }
  }
  return open;
}

/**
 * LDK forgets at a revocation what no commitment of the counterparty has any more; we keep what our own
 * commitment before has too, as long as it is there (contract 2.11).
 */
function assertKnows(imported: MonitorState, stepped: MonitorState): void {
  const lists = [stepped.holder, stepped.counterparty, stepped.counterpartyPrevious];
  const live = lists.flatMap((commitment) => commitment?.htlcs ?? []);
  const hashes = new Set(live.map(({ paymentHash }) => paymentHash));
  const sources = new Set(live.map(({ source }) => source?.sourceKey));
  for (const [hash, preimage] of stepped.preimages) {
    if (hashes.has(hash)) assert.deepEqual(imported.preimages.get(hash), preimage);
  }
  for (const [key, preimage] of stepped.fulfilled) {
    if (sources.has(key)) assert.deepEqual(imported.fulfilled.get(key), preimage);
  }
  for (const [key, preimage] of imported.fulfilled) {
    assert.deepEqual(stepped.fulfilled.get(key), preimage);
    assert.ok(imported.reported.get(key)?.claimedOffChain);
  }
}

/** The same channels from their first monitors on, update by update. */
class SteppedChannels {
  readonly #channels = new Map<string, ReplayedChannel>();
  #taken = 0;

  constructor(
    private readonly recording: Recording,
    private readonly node: string,
    private readonly watch: (channel: string, monitor: Uint8Array) => ReplayedChannel,
  ) {}

  at(taken: number, channel: string): ReplayedChannel {
    const { timeline } = must(this.recording.nodes[this.node], "a recorded node");
    for (const entry of timeline.slice(this.#taken, taken)) {
      if (entry.type === "watch_channel") {
        this.#channels.set(entry.channel, this.watch(entry.channel, fromHex(entry.monitor)));
      }
      if (entry.type === "update_channel") {
        must(this.#channels.get(entry.channel), "watched").update(fromHex(entry.update));
      }
    }
    this.#taken = taken;
    return must(this.#channels.get(channel), "watched");
  }
}

/** The same recording with the monitors of that moment in it. */
function startingAt(recording: Recording, name: string, { taken, monitors }: MidLife): Recording {
  const node = must(recording.nodes[name], "a recorded node");
  const snapshots = [...monitors].map(([channel, monitor]) => ({
    type: "snapshot" as const,
    channel,
    monitor: toHex(monitor),
  }));
  const timeline = [...node.timeline.slice(0, taken), ...snapshots, ...node.timeline.slice(taken)];
  return { ...recording, nodes: { ...recording.nodes, [name]: { ...node, timeline } } };
}
