/**
 * Updates that every envelope check passes and the core refuses, and a channel that breaks an invariant:
 * state and rows stay as they were, other channels go on.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { perCommitmentSecret } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { Channel } from "../../harness/channel/channel.js";
import { offer, secretNamed } from "../../harness/channel/test-channel.js";
import { World } from "./world.js";

const learns = (name: string): UpdateStep => ({
  kind: "paymentPreimage",
  preimage: secretNamed(name).preimage,
  paymentInfo: undefined,
});

describe("updates that the core refuses", function () {
  this.timeout(60_000);
  let world: World;
  let broken = false;
  beforeEach(async () => {
    broken = false;
    const wrapCurve = (curve: Curve): Curve => ({
      ...curve,
      ecdsaVerify(signature, digest, key) {
        if (broken) throw new Error("a bug in the core");
        return curve.ecdsaVerify(signature, digest, key);
      },
    });
    world = await World.start({ wrapCurve });
  });
  afterEach(() => world.end());

  /** A channel with an HTLC on it, and the steps of the next dance, not submitted. */
  async function withSteps(): Promise<{ channel: Channel; steps: UpdateStep[] }> {
    const steps: UpdateStep[] = [];
    let recording = false;
    const channel: Channel = await world.open({
      onUpdate: async (told) => {
        if (recording) steps.push(...told);
        else await world.accept(channel.channelId, told);
      },
    });
    offer(channel, "counterparty", 50_000, "in");
    await channel.settle();
    recording = true;
    offer(channel, "holder", 60_000, "out");
    await channel.settle();
    return { channel, steps };
  }

  const spoiled = (steps: readonly UpdateStep[], kind: UpdateStep["kind"]): UpdateStep => {
    const step = must(
      steps.find((candidate) => candidate.kind === kind),
      kind,
    );
    const flipped = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte));
    if (step.kind === "latestHolderCommitment") {
      const { commitment } = step;
      const counterpartySignature = flipped(commitment.counterpartySignature);
      return { ...step, commitment: { ...commitment, counterpartySignature } };
    }
    if (step.kind === "latestCounterpartyCommitment") {
      const { commitment } = step;
      const toBroadcasterSat = commitment.toCountersignatorySat;
      return { ...step, commitment: { ...commitment, toBroadcasterSat } };
    }
    if (step.kind === "commitmentSecret") {
      return { ...step, secret: perCommitmentSecret(new Uint8Array(32).fill(4)) };
    }
    return step;
  };

  async function assertRefused(
    channel: Channel,
    steps: readonly UpdateStep[],
    reason: string,
  ): Promise<void> {
    const before = [world.stateOf(channel.channelId), await world.rows()];
    const outcome = await world.submit(world.manager.update(channel.channelId, steps));
    assert.deepEqual(
      outcome.refused.map(({ refusal }) => refusal.reason),
      [reason],
    );
    assert.deepEqual([world.stateOf(channel.channelId), await world.rows()], before);
  }

  it("refuses a holder commitment whose signature does not verify", async () => {
    const { channel, steps } = await withSteps();
    const bad = spoiled(steps, "latestHolderCommitment");
    await assertRefused(channel, [bad], "invalidCommitmentSignature");
  });

  it("refuses a counterparty commitment with another txid than its fields give", async () => {
    const { channel, steps } = await withSteps();
    await assertRefused(channel, [spoiled(steps, "latestCounterpartyCommitment")], "malformed");
  });

  it("refuses all steps of an update when one is wrong", async () => {
    const { channel, steps } = await withSteps();
    const good = must(
      steps.find(({ kind }) => kind === "latestCounterpartyCommitment"),
      "a good step",
    );
    const bad = spoiled(steps, "commitmentSecret");
    await assertRefused(channel, [good, learns("x"), bad], "invalidSecret");
  });

  it("refuses two counterparty commitments in one update", async () => {
    const { channel, steps } = await withSteps();
    const one = must(
      steps.find(({ kind }) => kind === "latestCounterpartyCommitment"),
      "a commitment",
    );
    await assertRefused(channel, [one, one], "malformed");
  });

  it("after ChannelForceClosed takes little but preimages", async () => {
    const channel = await world.open();
    await channel.forceClose("holder");
    const script = { kind: "shutdownScript" as const, scriptPubkey: Uint8Array.of(0, 1, 2) };
    await assertRefused(channel, [script], "noFurtherUpdates");
    world.manager.heads.set(channel.channelId, {
      ...must(world.manager.heads.get(channel.channelId), "head"),
      id: 1n,
      hash: headHash(world, channel),
    });
    const receipt = await world.accept(channel.channelId, [learns("late")]);
    assert.equal(receipt.status, "appliedAfterClose");
    const again = { kind: "channelForceClosed", shouldBroadcast: true, reason: "again" } as const;
    const stored = await world.accept(channel.channelId, [again]);
    assert.deepEqual([stored.status, stored.updateId], ["appliedAfterClose", 3n]);
    const before = world.stateOf(channel.channelId);
    await world.restart();
    await world.openSession();
    assert.deepEqual(world.stateOf(channel.channelId), before, "durable, in the chain of ids");
    await world.accept(channel.channelId, [learns("later still")]);
  });

  it("halts a channel whose step breaks, keeps its state, and lets others go on", async () => {
    const { channel, steps } = await withSteps();
    const other = await world.open();
    const before = [world.stateOf(channel.channelId), await world.rows()];
    broken = true;
    const holder = must(
      steps.find(({ kind }) => kind === "latestHolderCommitment"),
      "a holder step",
    );
    const outcome = await world.submit(
      world.manager.update(channel.channelId, [holder]),
      world.manager.update(other.channelId, [learns("other")]),
    );
    assert.equal(outcome.refused[0]?.refusal.reason, "channelHalted");
    assert.equal(outcome.receipts?.receipts.length, 1);
    assert.deepEqual(world.stateOf(channel.channelId), before[0]);
    const line = must(
      world.lines.find(({ level }) => level === "error"),
      "an error line",
    );
    assert.equal(line.fields["incident"], outcome.refused[0]?.refusal.details["incident"]);
    broken = false;
    const next = await world.submit(world.manager.update(channel.channelId, [learns("later")]));
    assert.equal(next.refused[0]?.refusal.reason, "updateGap");
    assert.deepEqual(world.fatal, []);
  });
});

function headHash(world: World, channel: Channel) {
  const view = world.host.channel(world.manager.who, channel.channelId);
  assert.ok(view.ok);
  return view.value.state.latestUpdateHash;
}
