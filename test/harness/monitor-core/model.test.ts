/**
 * Random dances, closes, confirmations, reorgs and late preimages. Whatever happens: what we publish is
 * good for the next block, every live outbound HTLC ends, no revoked output is left to the cheater. What
 * holds for events is checked after every step (event-rules.ts).
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { must } from "@farwatch/protocol/assert";
import { sourcedCounterpartyHtlcs } from "@farwatch/monitor-service/monitor/htlcs";
import { confirmedCommitment, pickBlock } from "./candidates.js";
import { cheaterOutputs } from "./cheater-outputs.js";
import { danceAction, Dancer } from "./dances.js";
import { outcomesOf } from "./event-rules.js";
import { feerates, protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, counterpartyCloses } from "./scenario.js";

const RUNS = 30;
const SEED = 20_261_124;
/** Past every expiry of the dances (560). */
const AFTER_EXPIRIES = 566;
/** More than a dance can leave open. */
const MOST_CANDIDATES = 40;

const chainAction = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("block" as const),
      picks: fc.array(fc.nat(30), { maxLength: 4 }),
      urgent: fc.integer({ min: 253, max: 2_000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("skip" as const),
      blocks: fc.integer({ min: 1, max: 25 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("reorg" as const),
      depth: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("learn" as const), pick: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
);
type ChainAction = typeof chainAction extends fc.Arbitrary<infer T> ? T : never;

const close = fc.oneof(
  fc.record({ kind: fc.constant("counterparty" as const), pick: fc.nat(20) }),
  fc.record({ kind: fc.constant("holder" as const) }),
  fc.record({ kind: fc.constant("nobody" as const) }),
);

function perform(dancer: Dancer, action: ChainAction): void {
  const { p } = dancer;
  switch (action.kind) {
    case "block":
      p.feerates = feerates(action.urgent);
      p.mine(...pickBlock(p, dancer.secrets, action.picks));
      return p.assertPublishable();
    case "skip":
      return p.mineEmpty(action.blocks);
    case "reorg": {
      const depth = Math.min(action.depth, p.height - p.chain.base.height);
      p.disconnect(depth);
      p.mineEmpty(depth + 1);
      return p.assertPublishable();
    }
    case "learn": {
      const htlc = dancer.offered[action.pick % Math.max(dancer.offered.length, 1)];
      if (htlc === undefined) return;
      const { preimage } = must(dancer.secrets.get(htlc.paymentHash), "secret");
      p.learn(preimage, htlc.source.sourceKey);
      return;
    }
    case "restart":
      return p.reload();
  }
}

/** Goes on until nobody has anything left to confirm and all of it is deep. */
function runOut({ p, secrets }: Dancer): void {
  p.feerates = feerates(253);
  p.mineEmpty(1);
  if (p.state.spend === undefined) {
    p.apply({ kind: "broadcastHolder", reason: "end", overrideStale: true });
    p.minePublished("holderCommitment");
  }
  for (const target of [p.height + 1, AFTER_EXPIRIES]) {
    p.mineTo(target);
    for (let i = 0; i < 3; i++) p.minePublished();
  }
  assert.deepEqual(p.published(), []);
  // What is left is the counterparty's, or waits for a fee from a wallet (second stages on anchors).
  p.mine(...pickBlock(p, secrets, [...Array(MOST_CANDIDATES).keys()]));
  p.mineEmpty(6);
  // The counterparty's own second stages are watched on: a late secret would make them ours.
  const open = p.state.tracked.filter(({ role }) => role.kind !== "secondStage");
  assert.deepEqual(open, []);
}

/** Every output of the cheater was taken by us, or its second stage's output was. */
function assertPunished(p: ProtectedChannel): number {
  const commitment = must(confirmedCommitment(p), "the confirmed commitment");
  const mine = p.signed;
  const outputs = cheaterOutputs(commitment);
  for (const outpoint of outputs) {
    const first = must(p.chain.spenderOf(outpoint), "an output is left");
    if (mine.has(first)) continue;
    const second = must(p.chain.spenderOf({ txid: first, vout: 0 }), "the second stage is left");
    assert.ok(mine.has(second), "the cheater got away");
  }
  return outputs.length;
}

/** HTLCs that were live at the end have been told. */
function assertEnded(p: ProtectedChannel): void {
  for (const { source } of sourcedCounterpartyHtlcs(p.state)) {
    assert.ok(outcomesOf(p.events, source.sourceKey).length > 0, "an HTLC was never told");
  }
}

describe("monitor core: random lives and ends", function () {
  this.timeout(60_000);
  for (const channelType of CHANNEL_TYPES) {
    it(`end well on ${channelType}`, async () => {
      const kinds = new Map<string, number>();
      let punished = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(danceAction, { minLength: 5, maxLength: 30 }),
          close,
          fc.array(chainAction, { minLength: 3, maxLength: 15 }),
          async (actions, how, chainActions) => {
            const p = await protectedChannel({ channelType });
            const dancer = new Dancer(p);
            for (const action of actions) await dancer.perform(action);
            if (how.kind === "holder") await p.channel.forceClose("holder", true);
            if (how.kind === "counterparty") {
              counterpartyCloses(p, how.pick % (p.channel.received("counterparty") + 1));
            }
            for (const action of chainActions) perform(dancer, action);
            runOut(dancer);
            const kind = must(p.state.spend, "spend").kind;
            kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
            if (kind === "revoked") punished += assertPunished(p);
            assertEnded(p);
          },
        ),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
      assert.ok((kinds.get("revoked") ?? 0) > 2 && punished > 5, `${punished} punished`);
      assert.ok((kinds.get("holder") ?? 0) > 2 && kinds.size >= 3, [...kinds].join(" "));
    });
  }
});
