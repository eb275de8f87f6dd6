/** Nothing a source makes up reaches the sink (reliability F-38), and the truth does afterwards. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { blockHeight } from "@farwatch/protocol/block";
import { concatBytes } from "@farwatch/protocol/bytes";
import type { BlockHeader } from "./chain-source.js";
import { pointOf } from "./follow-chain.js";
import { ChainFollower, type FollowerLog } from "./follower.js";
import { coinbase, FakeChain, mineBlock, type FakeBlock, type Lies } from "./testing/fake-chain.js";
import { eventually, recordingLog } from "./testing/quiet.js";
import { RecordingSink } from "./testing/recording-sink.js";
import { storedHeader } from "./verify-header.js";
import { systemClock } from "./waker.js";

/** A header for the same place that meets no target. */
function withoutWork(header: BlockHeader): BlockHeader {
  for (let nonce = 0; ; nonce++) {
    const raw = Uint8Array.from(header.raw);
    new DataView(raw.buffer).setUint32(76, nonce, true);
    const candidate = storedHeader(raw, header.height);
    if (candidate.hash.startsWith("f")) return candidate;
  }
}

/** Another block on the parent of the tip, with valid work. */
const sibling = (chain: FakeChain): FakeBlock =>
  mineBlock(must(chain.best.at(-2), "parent of the tip").header);

function flipOutputScript(raw: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(raw);
  const at = changed.length - 5; // before the locktime
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

type Case = readonly [name: string, fault: string, lies: (chain: FakeChain) => Lies];
const CASES: readonly Case[] = [
  ["a block with another transaction", "badMerkleRoot", () => ({ block: flipOutputScript })],
  ["a truncated block", "malformed", () => ({ block: (raw) => raw.subarray(0, raw.length - 1) })],
  [
    "another block with valid work",
    "notThisHeader",
    (chain) => {
      const { raw } = sibling(chain);
      return { block: () => raw };
    },
  ],
  [
    "a block with another coinbase",
    "badMerkleRoot",
    () => ({
      block: (raw) => concatBytes(raw.subarray(0, 80), Uint8Array.of(1), coinbase(999_999)),
    }),
  ],
  [
    "a header of another block",
    "notThisBlock",
    (chain) => {
      const { header } = sibling(chain);
      return { header: () => header };
    },
  ],
  [
    "a tip without proof of work",
    "hashAboveTarget",
    (chain) => {
      const cheap = withoutWork(chain.tipBlock.header);
      return { tip: () => pointOf(cheap), header: () => cheap };
    },
  ],
  [
    "a tip at the wrong height",
    "unlinked",
    () => ({ tip: ({ hash, height }) => ({ hash, height: blockHeight(height + 1) }) }),
  ],
];

/** A follower on the chain, one block below its tip. */
function follow(chain: FakeChain, sink: RecordingSink, log: FollowerLog): ChainFollower {
  const deps = { source: chain, sink, chain: "regtest", log, clock: systemClock } as const;
  return new ChainFollower({ ...deps, pollIntervalMs: 50 });
}

describe("chain follower against a lying source", () => {
  for (const [name, fault, lies] of CASES) {
    it(`refuses ${name} (${fault}) and follows the truth once it is told`, async () => {
      const chain = new FakeChain(4);
      const sink = new RecordingSink(chain.ring(3));
      chain.lies = lies(chain);
      const log = recordingLog();
      const follower = follow(chain, sink, log);
      const running = follower.run();
      await eventually("refusal", () => follower.status().reason === "invalidData");
      assert.equal(log.lines.at(-1)?.fields["fault"], fault);
      assert.deepEqual(sink.steps, []);
      chain.lies = {};
      chain.hint();
      await eventually("truth", () => follower.status().state === "synced");
      assert.deepEqual(sink.steps, ["+4"]);
      await follower.stop();
      await running;
    });
  }

  it("disconnects nothing for a better branch whose first block cannot be had", async () => {
    const chain = new FakeChain(10);
    const sink = new RecordingSink(chain.ring(10));
    chain.lies = { block: (raw) => raw.subarray(1) };
    chain.reorg(3, 5);
    const follower = follow(chain, sink, recordingLog());
    const running = follower.run();
    await eventually("refusal", () => follower.status().reason === "invalidData");
    assert.deepEqual(sink.steps, []);
    assert.equal(sink.tip.height, 10);
    await follower.stop();
    await running;
  });
});
