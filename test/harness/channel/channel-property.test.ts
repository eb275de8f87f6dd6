/**
 * Random sequences of proposals and single dance messages: funds are conserved, both sides build the
 * same commitments, every signature verifies, the monitor can follow. Seeded, so failures repeat.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { feeratePerKw } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { CHANNEL_TYPES } from "@farwatch/protocol/channel";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { Channel } from "./channel.js";
import { assertConserved, makeCommitment, signaturesVerify } from "./commitment.js";
import type { Htlc } from "./ledger.js";
import { ChannelRefusal } from "./refusal.js";
import { otherSide, SIDES, type Side } from "./setup.js";
import { offer, recordedChannel, secretNamed, type Told } from "./test-channel.js";

const RUNS = 30;
const SEED = 20_261_122;

const side = fc.constantFrom<Side>(...SIDES);
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      side,
      // Around every trim threshold, and far above.
      amountSat: fc.oneof(fc.integer({ min: 1, max: 1_500 }), fc.integer({ min: 1, max: 90_000 })),
      expiry: fc.integer({ min: 500, max: 503 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("fulfill" as const, "fail" as const),
      pick: fc.nat(20),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("sign" as const, "receive" as const, "revoke" as const),
      side,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("fee" as const),
      feerate: fc.integer({ min: 253, max: 1_500 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("settle" as const) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** Names the HTLCs of one run, so that each can be claimed. */
class Run {
  readonly offered: { readonly htlc: Htlc; readonly name: string }[] = [];
  /** What each side must own in the end: counted by what happened, without the ledger. */
  readonly balance: Record<Side, bigint>;
  /** Performed, not refused. */
  done = 0;
  constructor(readonly channel: Channel) {
    const { holder, counterparty } = channel.commitment("holder").state.balanceMsat;
    this.balance = { holder, counterparty };
  }

  async perform(act: Action): Promise<void> {
    try {
      await this.#perform(act);
      this.done += 1;
    } catch (error) {
      if (!(error instanceof ChannelRefusal)) throw error;
    }
  }

  async #perform(act: Action): Promise<void> {
    const { channel, offered } = this;
    switch (act.kind) {
      case "add": {
        // Some equal hashes: two parts of one payment must stay two HTLCs.
        const name = `secret ${offered.length % 7}`;
        const htlc = offer(channel, act.side, act.amountSat, name, act.expiry);
        offered.push({ htlc, name });
        this.balance[act.side] -= htlc.amountMsat;
        return;
      }
      case "fulfill":
      case "fail": {
        const chosen = offered[act.pick % Math.max(offered.length, 1)];
        if (chosen === undefined) return;
        const { amountMsat, offeredBy } = chosen.htlc;
        if (act.kind === "fail") channel.failHtlc(chosen.htlc);
        else await channel.fulfillHtlc(chosen.htlc, secretNamed(chosen.name).preimage);
        this.balance[act.kind === "fail" ? offeredBy : otherSide(offeredBy)] += amountMsat;
        return;
      }
      case "sign":
        await channel.signCommitment(act.side);
        return;
      case "receive":
        return channel.receiveNext(act.side);
      case "revoke":
        await channel.revoke(act.side);
        return;
      case "fee":
        return channel.updateFee(channel.setup.opener, feeratePerKw(act.feerate));
      default:
        return channel.settle();
    }
  }
}

/** Every commitment of both sides, built again from its state, is what was signed. */
function assertSound(channel: Channel): void {
  for (const broadcaster of SIDES) {
    for (let number = 0; number <= channel.commitment(broadcaster).number; number++) {
      const signed = channel.commitment(broadcaster, number);
      const { setup, funding } = channel;
      const again = makeCommitment(setup, funding, broadcaster, number, signed.state);
      assert.equal(again.built.txid, signed.built.txid);
      assert.ok(signaturesVerify(setup, again, signed));
      assertConserved(setup, again);
    }
  }
}

/** Numbers rise by one, a secret comes for the newest but one, outbound HTLCs end at most once. */
function assertMonitorCanFollow(told: readonly Told[], watched: Side): void {
  let own = 0;
  let peers = 0;
  let revoked = 0;
  const ended = new Set<string>();
  const follow = (step: UpdateStep): void => {
    if (step.kind === "latestHolderCommitment") {
      assert.equal(step.commitment.commitmentNumber, ++own);
      for (const { sourceKey } of [...step.claimed, ...step.failed]) {
        assert.ok(!ended.has(sourceKey));
        ended.add(sourceKey);
      }
    } else if (step.kind === "latestCounterpartyCommitment") {
      assert.equal(revoked, peers, "one un-revoked commitment at a time");
      assert.equal(step.commitment.commitmentNumber, ++peers);
    } else if (step.kind === "commitmentSecret") {
      assert.equal(step.commitmentNumber, revoked++);
    }
  };
  for (const item of told) if (item.side === watched) follow(item.step);
  assert.equal(revoked, peers);
}

/** After settling, both newest commitments hold the same HTLCs and balances. */
function assertAgreed({ channel, balance }: Run): void {
  assert.deepEqual(channel.commitment("holder").state.balanceMsat, balance);
  const [own, peers] = SIDES.map((one) => channel.commitment(one).state);
  assert.deepEqual(must(own, "own").balanceMsat, must(peers, "peers").balanceMsat);
  assert.deepEqual(own?.included, peers?.included);
  assert.equal(own?.feeratePerKw, peers?.feeratePerKw);
  for (const one of SIDES) {
    assert.equal(channel.revokedBelow(one), channel.commitment(one).number);
    assert.equal(channel.received(one), channel.commitment(one).number);
    assert.equal(channel.onItsWayTo(otherSide(one)), undefined);
  }
}

describe("channel engine: random dances", function () {
  this.timeout(60_000);
  for (const channelType of CHANNEL_TYPES) {
    it(`stays sound on ${channelType}`, async () => {
      const { curve } = await selectCurve("auto");
      let performed = 0;
      let commitments = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(action, { minLength: 10, maxLength: 40 }),
          side,
          async (actions, opener) => {
            const { channel, told } = recordedChannel({
              channelType,
              curve,
              opener,
              protectedSides: SIDES,
            });
            const run = new Run(channel);
            for (const act of actions) await run.perform(act);
            await channel.settle();
            assertAgreed(run);
            assertSound(channel);
            for (const watched of SIDES) assertMonitorCanFollow(told, watched);
            performed += run.done;
            commitments += channel.commitment("holder").number;
          },
        ),
        { numRuns: RUNS, seed: SEED },
      );
      assert.ok(performed > RUNS * 5, `only ${performed} actions were possible`);
      assert.ok(commitments > RUNS, `only ${commitments} commitments`);
    });
  }
});
