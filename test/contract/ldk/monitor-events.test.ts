/** MonitorEvents built from what Farwatch tells, against every one that LDK's own monitors were recorded with. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { EventForLdk } from "@farwatch/manager-service/ldk/event-desk";
import { completedEvent, monitorEvent } from "@farwatch/manager-service/ldk/monitor-events";
import { msat } from "@farwatch/protocol/amount";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { channelId, htlcId, paymentHash, txid } from "@farwatch/protocol/ids";
import { toSource } from "@farwatch/protocol/ldk/convert/source";
import { decodeMonitorEvent, type LdkMonitorEvent } from "@farwatch/protocol/ldk/monitor-events";
import { z } from "zod";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";

const VECTORS = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  "../../../../test/vectors/ldk-fixtures",
);
const Told = z.object({
  type: z.literal("monitor_events"),
  channel: z.string(),
  channel_id: z.string(),
  events: z.array(z.object({ type: z.string(), hex: z.string() })),
});
const Fixture = z.object({
  nodes: z.record(z.string(), z.object({ timeline: z.array(z.unknown()) })),
});

/** The same fact in our words. undefined: Completed, which names an id alone. */
function asTold(event: LdkMonitorEvent): EventForLdk | undefined {
  if (event.kind === "htlcEvent") {
    const { source, valueSat = 0n, preimage } = event;
    const fact = {
      kind: "htlcEvent",
      paymentHash: event.paymentHash,
      source: toSource(source),
      htlcId: htlcId(0n),
      amountMsat: msat(valueSat * 1000n + 999n),
      userChannelId: undefined,
    } as const;
    const none = { holdTime: undefined, attributionData: undefined, skimmedFeeMsat: undefined };
    if (preimage !== undefined) {
      return { ...fact, resolution: { kind: "claimed", preimage, ...none } };
    }
    const reason = { cause: { kind: "onChainTimeout" }, ...none } as const;
    return { ...fact, resolution: { kind: "failed", reason } };
  }
  if (event.kind !== "holderForceClosedWithInfo") return undefined;
  const reason =
    event.reason.kind === "htlcsTimedOut"
      ? ({ kind: "htlcDeadline", paymentHash: paymentHash("00".repeat(32)) } as const)
      : ({ kind: "nodeRequested", text: "told by the node" } as const);
  return { kind: "holderForceClosed", reason };
}

describe("MonitorEvents for LDK", () => {
  before(() => loadLdk());

  it("are those that LDK's own monitors handed out, byte for byte", () => {
    const seen = new Map<string, number>();
    for (const file of fs.readdirSync(VECTORS).filter((name) => name.endsWith(".json"))) {
      const fixture = Fixture.parse(JSON.parse(fs.readFileSync(path.join(VECTORS, file), "utf8")));
      for (const entry of Object.values(fixture.nodes).flatMap(({ timeline }) => timeline)) {
        const told = Told.safeParse(entry);
        if (!told.success) continue;
        const { channel, channel_id, events } = told.data;
        const [id = "", vout] = channel.split(":");
        const name = {
          channelId: channelId(channel_id),
          funding: { txid: txid(id), vout: Number(vout) },
        };
        for (const { type, hex } of events) {
          const decoded = decodeMonitorEvent(fromHex(hex));
          assert.ok(decoded.ok);
          const { value } = decoded;
          const fact = asTold(value);
          const made =
            value.kind === "completed"
              ? completedEvent(ldk, name, value.updateId)
              : fact && monitorEvent(ldk, name, fact);
          assert.ok(made !== undefined, type);
          assert.equal(toHex(made.write()), hex, `${file}: ${type}`);
          seen.set(type, (seen.get(type) ?? 0) + 1);
        }
      }
    }
    assert.ok((seen.get("HTLCEvent") ?? 0) > 20);
    assert.ok((seen.get("HolderForceClosedWithInfo") ?? 0) > 2);
    assert.ok((seen.get("Completed") ?? 0) > 10);
  });

  it("CommitmentTxConfirmed is what LDK 0.2 writes, which 0.1 does not know", () => {
    const decoded = decodeMonitorEvent(Uint8Array.of(1));
    assert.ok(decoded.ok && decoded.value.kind === "commitmentTxConfirmed");
    const name = {
      channelId: channelId("00".repeat(32)),
      funding: { txid: txid("00".repeat(32)), vout: 0 },
    };
    assert.throws(
      () => monitorEvent(ldk, name, { kind: "commitmentTxConfirmed" }),
      /MonitorEvent failed/,
    );
  });
});
