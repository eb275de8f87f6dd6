/**
 * Reorganisations deeper than what counts as final (onchain-engine 12; BOLT 5, "irrevocably resolved"):
 * whatever they undo is claimed again, up to 100 blocks; what was told is not told again.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { IRREVOCABLE_DEPTH } from "@farwatch/monitor-service/monitor/constants";
import { htlcSuccessTx } from "../channel/broadcast.js";
import { secretNamed } from "../channel/test-channel.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import {
  assertClaims,
  CHANNEL_TYPES,
  counterpartyCloses,
  fulfill,
  htlcOutpoint,
  number,
  outcomes,
  pay,
  revokedOutputs,
  spendable,
} from "./scenario.js";

const DEPTHS = [1, 6, 12, IRREVOCABLE_DEPTH];

async function cheated(channelType: (typeof CHANNEL_TYPES)[number]) {
  const p = await protectedChannel({ channelType });
  const [ours] = await pay(
    p,
    { from: "holder", sat: 20_000, name: "ours", expiry: 900 },
    { from: "counterparty", sat: 30_000, name: "theirs", expiry: 910 },
  );
  const old = number(p, "counterparty");
  await fulfill(p, must(ours, "htlc"), "ours");
  return { p, ours: must(ours, "htlc"), old };
}

/** Takes `depth` blocks off and tells nothing. */
function lose(p: ProtectedChannel, depth: number): void {
  assert.deepEqual(p.disconnect(depth).events, []);
  p.reload();
}

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: deep reorgs of ${channelType}`, () => {
    for (const depth of DEPTHS) {
      it(`${depth} blocks: a justice transaction that alone is undone is published again`, async () => {
        const { p, old } = await cheated(channelType);
        counterpartyCloses(p, old);
        const first = p.minePublished("justice");
        p.mineEmpty(depth - 1);
        assert.deepEqual(p.published(), []);
        const told = p.events.length;
        lose(p, depth);
        assert.deepEqual(p.published("justice"), first, "the same bytes");
        assertClaims(p, revokedOutputs(p, old));
        p.minePublished("justice");
        p.mineEmpty(Math.max(depth, 6));
        assert.deepEqual(p.state.tracked, []);
        assert.equal(new Set(spendable(p)).size, spendable(p).length, "told once");
        if (depth > 6) assert.equal(p.events.length, told);
      });

      it(`${depth} blocks: a commitment that is undone and confirms again is claimed again`, async () => {
        const { p, ours, old } = await cheated(channelType);
        counterpartyCloses(p, old);
        p.minePublished("justice");
        p.mineEmpty(Math.max(0, depth - 2));
        lose(p, Math.max(depth, 2));
        assert.deepEqual(p.published("justice"), []);
        counterpartyCloses(p, old);
        assertClaims(p, revokedOutputs(p, old));
        p.minePublished("justice");
        p.mineEmpty(6);
        assert.deepEqual(outcomes(p, ours), ["claimed:update"]);
        assert.equal(new Set(spendable(p)).size, spendable(p).length, "told once");
      });
    }

    it("an honest close: a refund six deep that is undone is published again", async () => {
      const p = await protectedChannel({ channelType });
      const [ours] = await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 510 });
      assert.ok(ours !== undefined);
      counterpartyCloses(p);
      p.mineTo(510);
      p.minePublished();
      p.mineEmpty(8);
      assert.deepEqual(outcomes(p, ours), ["failed:chain"]);
      lose(p, 9);
      const at = htlcOutpoint(p, "counterparty", number(p, "counterparty"), ours);
      assertClaims(p, [at]);
      p.mine(
        htlcSuccessTx(
          p.channel,
          "counterparty",
          number(p, "counterparty"),
          ours,
          secretNamed("ours").preimage,
        ),
      );
      assert.deepEqual(outcomes(p, ours), ["failed:chain", "claimed:chain"], "a claim supersedes");
      p.mineEmpty(10);
      assert.deepEqual(outcomes(p, ours), ["failed:chain", "claimed:chain"]);
    });

    it("our own second stages six deep that are undone are published again", async () => {
      if (channelType !== "static_remote_key") return;
      const p = await protectedChannel({ channelType });
      const [ours] = await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 510 });
      assert.ok(ours !== undefined);
      await p.channel.forceClose("holder", true);
      p.minePublished("holderCommitment");
      p.mineTo(510);
      const first = p.minePublished("holderHtlcTimeout");
      assert.equal(first.length, 1);
      p.mineEmpty(20);
      lose(p, 21);
      assert.deepEqual(p.published("holderHtlcTimeout"), first);
    });

    it("keeps nothing once all is 100 deep", async () => {
      const { p, old } = await cheated(channelType);
      counterpartyCloses(p, old);
      p.minePublished("justice");
      p.mineEmpty(IRREVOCABLE_DEPTH - 1);
      assert.notEqual(p.state.outputSpends.size, 0);
      p.mineEmpty(1);
      const { outputSpends, settled, claims, tracked } = p.state;
      assert.equal(outputSpends.size, 0);
      assert.deepEqual(
        { settled, claims, tracked },
        { settled: { facts: [], tracked: [], claims: [] }, claims: [], tracked: [] },
      );
    });
  });
}
