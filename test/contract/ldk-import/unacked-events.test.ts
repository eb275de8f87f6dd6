/**
 * A channel imported from an LDK with persistent monitor events (pull request 4640): a claim that its node has
 * not acked is told again by our monitor, once, and one that the node knows is not. LDK's own mid-life
 * monitors, with the branch's records added by the codec; the branch is not released.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { hashOfPreimage } from "@farwatch/protocol/ids";
import { sourceKeyOf } from "@farwatch/protocol/ldk/convert/source";
import { sentIdOf, type RawHtlcSource, type SentHtlcId } from "@farwatch/protocol/ldk/htlc-source";
import {
  decodeChannelMonitor,
  encodeChannelMonitor,
  type LdkChannelMonitor,
} from "@farwatch/protocol/ldk/monitor";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { readRecording } from "@farwatch/monitor-service/replay/read-recording";
import {
  ReplayedChannel,
  type ReplayTools,
} from "@farwatch/monitor-service/replay/replayed-channel";
import { MemoryFloors } from "@farwatch/monitor-service/signer/holder-floors";
import { loadLdk } from "../../fixture-recorder/ldk/module.js";
import { seedSigner } from "../../harness/channel/seed-signer.js";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { midLifeMonitors } from "./mid-life.js";

const RECORDING = "../../../vectors/ldk-fixtures/fee_change.anchors_zero_fee_htlc_tx.json";
const NODE = "A";

describe("a channel imported with results that its node has not acked", function () {
  this.timeout(120_000);
  let tools: ReplayTools;
  const recording = readRecording(fileURLToPath(new URL(RECORDING, import.meta.url)));
  before(async () => {
    const { curve } = await selectCurve("auto");
    await loadLdk();
    const { seed } = must(recording.nodes[NODE], "a recorded node");
    const floors = new MemoryFloors();
    const signer = seedSigner(curve, fromHex(seed), floors);
    tools = { context: { curve }, floors, signer, chainHash: REGTEST_CHAIN_HASH };
  });

  it("tells its claims once more, and no claim that the node knows", () => {
    let claims = 0;
    for (const { monitors } of midLifeMonitors(recording, NODE)) {
      for (const [channel, bytes] of monitors) {
        const read = readLdkMonitor(bytes, REGTEST_CHAIN_HASH, tools.context.curve);
        if (!read.ok) continue;
        assert.deepEqual(ReplayedChannel.watch(tools, channel, bytes).told.events, []);
        const monitor = decoded(bytes);
        const fulfilled = monitor.trailer.counterpartyFulfilled ?? [];
        const told = ReplayedChannel.watch(tools, channel, withUnacked(monitor)).told.events;
        const bodies = told.map(({ body }) => body);
        assert.deepEqual(
          bodies.map(
            (body) => body.kind === "htlcEvent" && [body.source.sourceKey, body.resolution],
          ),
          fulfilled.map(({ key, value: preimage }) => [
            sourceKeyOf(key),
            { kind: "claimed", preimage, skimmedFeeMsat: undefined, attributionData: undefined },
          ]),
        );
        claims += told.length;
      }
    }
    assert.ok(claims >= 3, `${claims} claims`);
  });
});

function decoded(bytes: Uint8Array): LdkChannelMonitor {
  const monitor = decodeChannelMonitor(bytes);
  return monitor.ok ? monitor.value : assert.fail("LDK wrote it");
}

/** As the branch would write the same monitor, with every claim in it un-acked. */
function withUnacked(monitor: LdkChannelMonitor): Uint8Array {
  const { pendingMonitorEvents, ...trailer } = monitor.trailer;
  assert.deepEqual(pendingMonitorEvents, []);
  const identifiedMonitorEvents = (trailer.counterpartyFulfilled ?? []).map(
    ({ key, value: preimage }, at) => ({
      id: BigInt(at),
      event: {
        value: {
          kind: "htlcEvent" as const,
          paymentHash: hashOfPreimage(preimage),
          source: sourceOf(monitor, key),
          valueMsat: 1_000n,
          resolution: { kind: "claimed" as const, preimage },
        },
        raw: new Uint8Array(0),
      },
    }),
  );
  const bytes = encodeChannelMonitor({
    ...monitor,
    trailer: { ...trailer, identifiedMonitorEvents, nextMonitorEventId: 99n },
  });
  return bytes.ok ? bytes.value : assert.fail(`${bytes.error.problem} at ${bytes.error.place}`);
}

function sourceOf(monitor: LdkChannelMonitor, id: SentHtlcId): RawHtlcSource {
  const { holderTx, previousHolderTx, counterpartyHtlcs } = monitor;
  const htlcs = [
    ...holderTx.htlcs,
    ...(previousHolderTx?.htlcs ?? []),
    ...counterpartyHtlcs.flatMap((commitment) => commitment.htlcs),
  ];
  const key = sourceKeyOf(id);
  const found = htlcs.find(({ source }) => {
    const sent = source && sentIdOf(source);
    return sent !== undefined && sourceKeyOf(sent) === key;
  });
  return must(found?.source, "an HTLC that was fulfilled stands in a commitment");
}
