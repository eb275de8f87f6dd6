/**
 * The counterparty commitments that LDK's own watchtower calls rebuilt from each update, in every
 * recording: ours are the same transactions, output for output.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { must } from "@farwatch/protocol/assert";
import { CHAIN_HASHES } from "../config-networks.js";
import { commitmentIndex } from "@farwatch/protocol/bolt/commitment-number";
import { counterpartyCommitmentsInState, counterpartyTx } from "../monitor/watchtower.js";
import { MemoryFloors } from "../signer/holder-floors.js";
import { SeedKeys } from "../signer/key-source.js";
import { LocalSigner } from "../signer/local-signer.js";
import { recordingFile, recordings } from "./recordings.test.js";
import { ReplayedChannel, type ReplayTools } from "./replayed-channel.js";

const Commitment = z.object({
  txid: z.string(),
  commitment_number: z.string(),
  per_commitment_point: z.string(),
  feerate_per_kw: z.number(),
  to_broadcaster_value_sat: z.string(),
  to_countersignatory_value_sat: z.string(),
  revokeable_output_index: z.number().nullish(),
  unsigned_tx: z.string(),
});
const Entry = z.object({
  type: z.string(),
  channel: z.string().optional(),
  monitor: z.string().optional(),
  update: z.string().optional(),
  update_id: z.string().nullish(),
  counterparty_commitments: z.array(Commitment).optional(),
});
const Recorded = z.object({
  nodes: z.record(z.string(), z.object({ seed: z.string(), timeline: z.array(Entry) })),
});
type Node = z.infer<typeof Recorded>["nodes"][string];

/** What LDK rebuilt, by channel and update. */
const rebuiltByLdk = ({ timeline }: Node): ReadonlyMap<string, z.infer<typeof Commitment>> =>
  new Map(
    timeline.flatMap(({ channel, update_id: id, counterparty_commitments: all }) =>
      (all ?? []).map((commitment) => [`${channel}/${id}`, commitment] as const),
    ),
  );

/** Feeds a node's updates and compares after each; returns how many commitments were compared. */
function compareAll(curve: Curve, node: Node): number {
  const expected = rebuiltByLdk(node);
  const floors = new MemoryFloors();
  const signer = new LocalSigner(curve, new SeedKeys(curve, fromHex(node.seed)), floors);
  const tools: ReplayTools = {
    context: { curve },
    floors,
    signer,
    chainHash: CHAIN_HASHES.regtest,
  };
  const channels = new Map<string, ReplayedChannel>();
  let compared = 0;
  for (const { type, channel: name = "", monitor, update, update_id: id } of node.timeline) {
    if (type === "watch_channel") {
      channels.set(name, ReplayedChannel.watch(tools, name, fromHex(must(monitor, "monitor"))));
    }
    if (type !== "update_channel") continue;
    const channel = must(channels.get(name), "watched");
    channel.update(fromHex(must(update, "update")));
    const ldk = expected.get(`${name}/${id}`);
    if (ldk === undefined) continue;
    assert.deepEqual(toLdk(tools, channel, ldk.txid), ldk);
    compared++;
  }
  return compared;
}

function toLdk(tools: ReplayTools, { state }: ReplayedChannel, txid: string): unknown {
  const commitment = counterpartyCommitmentsInState(state).find((item) => item.txid === txid);
  const named = must(commitment, "the commitment of the update");
  const built = must(counterpartyTx(tools.context, state, named), "on the channel's funding");
  return {
    txid,
    commitment_number: String(commitmentIndex(named.commitmentNumber)),
    per_commitment_point: toHex(named.perCommitmentPoint),
    feerate_per_kw: named.feeratePerKw,
    to_broadcaster_value_sat: String(named.toBroadcasterSat),
    to_countersignatory_value_sat: String(named.toCountersignatorySat),
    revokeable_output_index: built.toLocal?.vout ?? null,
    unsigned_tx: toHex(built.unsignedTx),
  };
}

describe("LDK's watchtower calls", function () {
  this.timeout(60_000);
  let curve: Curve;
  before(async () => {
    ({ curve } = await selectCurve("auto"));
  });
  for (const { folder, name } of recordings) {
    it(`rebuilt the same counterparty commitments in ${name}`, () => {
      const text = readFileSync(recordingFile(name, folder), "utf8");
      const { nodes } = Recorded.parse(JSON.parse(text));
      const counts = Object.values(nodes).map((node) => [
        compareAll(curve, node),
        rebuiltByLdk(node).size,
      ]);
      for (const [compared, recorded] of counts) assert.equal(compared, recorded);
      assert.ok(counts.some(([compared = 0]) => compared > 0));
    });
  }
});
