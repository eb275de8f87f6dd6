/**
 * Commitments of ours whose secret may be out are never broadcast (onchain-engine 17): what the node was
 * told durable raises the floor, what it is told after the close does not, and a state from a backup is
 * held back until it has caught up. The signer refuses by itself what the core would get wrong.
 */
import assert from "node:assert/strict";
import { commitmentNumber } from "@farwatch/protocol/ids";
import { holderCommitments } from "@farwatch/monitor-service/monitor/htlcs";
import { outstanding } from "@farwatch/monitor-service/monitor/outstanding";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { SigningRefused } from "@farwatch/monitor-service/signer/holder-floors";
import { seedSigner } from "../channel/seed-signer.js";
import { DEFAULT_SEEDS } from "../channel/setup.js";
import { offer } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { pay } from "./scenario.js";

const EXPIRY = 600;
const byHand = { kind: "broadcastHolder", reason: "by hand" } as const;
const known = (number: number) =>
  ({ kind: "holderFloorKnown", number: commitmentNumber(number) }) as const;
const signer = (p: ProtectedChannel) => seedSigner(p.ctx.curve, DEFAULT_SEEDS.holder, p.floors);

/** Publishes from `state` whatever the core's own checks say. */
function signFrom(p: ProtectedChannel, state: MonitorState): void {
  for (const { tasks } of outstanding(p.ctx, state)) {
    signer(p).sign(state.parameters.channelKeysId, tasks);
  }
}

describe("monitor core: the floor of our commitments", () => {
  it("rises with every holder commitment that is told durable", async () => {
    const p = await protectedChannel();
    assert.equal(p.state.holderFloor, 0);
    await pay(p, { from: "holder", sat: 20_000, name: "one" });
    const first = p.state.holder.commitmentNumber;
    assert.ok(first > 0);
    assert.equal(p.state.holderFloor, first);
    await pay(p, { from: "counterparty", sat: 20_000, name: "two" });
    assert.equal(p.state.holderFloor, p.state.holder.commitmentNumber);
  });

  it("stays below what comes after our broadcast, so that the commitment chosen then stays good", async () => {
    const p = await protectedChannel();
    await pay(p, { from: "holder", sat: 20_000, name: "one" });
    const chosen = p.state.holder;
    p.apply({ ...byHand, overrideStale: false });
    await pay(p, { from: "holder", sat: 20_000, name: "two" });
    assert.ok(p.state.holder.commitmentNumber > chosen.commitmentNumber);
    assert.equal(p.state.holderFloor, chosen.commitmentNumber);
    const [published] = p.published("holderCommitment");
    assert.equal(published?.txid, chosen.txid);
    p.assertPublishable();
  });

  it("holds back a state from a backup, by itself and by hand, until it has caught up", async () => {
    const p = await protectedChannel();
    offer(p.channel, "holder", 20_000, "one", EXPIRY);
    await p.channel.settle();
    p.held = [];
    await pay(p, { from: "counterparty", sat: 20_000, name: "two" });
    const newest = p.state.holder.commitmentNumber + 1;
    p.apply(known(newest));
    p.mineTo(EXPIRY + 5);
    assert.deepEqual(bodiesOf(p.events, "holderForceClosed"), []);
    assert.equal(p.refused({ ...byHand, overrideStale: true }), "holderRevoked");
    assert.deepEqual(p.published(), []);
    p.release();
    assert.equal(p.state.holder.commitmentNumber, newest);
    p.mine();
    assert.equal(bodiesOf(p.events, "holderForceClosed").length, 1);
    assert.equal(p.published("holderCommitment").length, 1);
    p.assertPublishable();
  });

  it("never falls", async () => {
    const p = await protectedChannel();
    await pay(p, { from: "holder", sat: 20_000, name: "one" });
    const before = p.state.holderFloor;
    p.apply(known(0));
    assert.equal(p.state.holderFloor, before);
  });

  it("takes back a broadcast that a backup brought with it", async () => {
    const p = await protectedChannel();
    p.apply({ ...byHand, overrideStale: false });
    assert.equal(p.published().length, 1);
    p.apply(known(1));
    assert.deepEqual(p.published(), []);
  });

  it("is the signer's too: a core that chose a revoked commitment gets no signature", async () => {
    const p = await protectedChannel();
    await pay(p, { from: "holder", sat: 20_000, name: "one" });
    const reason = { kind: "operator", text: "" } as const;
    for (const commitment of holderCommitments(p.state)) {
      const since = p.state.best.height;
      const holderFloor = commitmentNumber(0);
      const { funding } = p.state.parameters;
      const holderBroadcast = { reason, commitment, funding, elsewhere: [], since };
      const confused = { ...p.state, holderFloor, holderBroadcast };
      if (commitment === p.state.holder) signFrom(p, confused);
      else assert.throws(() => signFrom(p, confused), SigningRefused);
    }
    assert.equal(holderCommitments(p.state).length, 2, "both were tried");
  });
});
