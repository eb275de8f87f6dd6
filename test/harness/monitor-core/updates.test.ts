/**
 * Updates of a live channel: every one the engine tells is accepted with its signatures checked, every
 * kind of wrong one is refused with its reason and changes nothing, a replay gives the same state.
 */
import assert from "node:assert/strict";
import { sha256 } from "@noble/hashes/sha2.js";
import { must } from "@farwatch/protocol/assert";
import { concatBytes, utf8 } from "@farwatch/protocol/bytes";
import { CHANNEL_TYPES, type ChannelType } from "@farwatch/protocol/channel";
import {
  commitmentNumber,
  perCommitmentSecret,
  sourceKey,
  txid,
  updateId,
} from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import {
  decodeState,
  encodeState,
  STATE_VERSION,
  StateUnreadable,
} from "@farwatch/monitor-service/monitor/codec";
import { step } from "@farwatch/monitor-service/monitor/step";
import { NOWHERE, offer, secretNamed } from "../channel/test-channel.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";

type StepOf<K extends UpdateStep["kind"]> = Extract<UpdateStep, { kind: K }>;

const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));

/** Two parts of one payment, one other HTLC each way, one of them dust. */
async function busyChannel(channelType: ChannelType): Promise<ProtectedChannel> {
  const p = await protectedChannel({ channelType });
  offer(p.channel, "holder", 30_000, "twice");
  offer(p.channel, "holder", 30_000, "twice");
  offer(p.channel, "counterparty", 40_000, "inbound");
  offer(p.channel, "counterparty", 100, "dust");
  await p.channel.settle();
  return p;
}

/** The next holder step, kept back. */
async function nextOf<K extends UpdateStep["kind"]>(
  p: ProtectedChannel,
  kind: K,
): Promise<StepOf<K>> {
  p.held = [];
  offer(p.channel, "counterparty", 50_000, "next");
  offer(p.channel, "holder", 50_000, "mine");
  await p.channel.settle();
  const steps = p.held.flat();
  const isKind = (item: UpdateStep): item is StepOf<K> => item.kind === kind;
  for (const item of steps) {
    if (isKind(item)) return item;
    p.update([item]);
  }
  return assert.fail(`no ${kind} was told`);
}

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: updates of ${channelType}`, () => {
    it("accepts a whole life and replays it to the same state and events", async () => {
      const p = await busyChannel(channelType);
      for (const htlc of p.channel.liveHtlcs()) {
        const name = ["twice", "inbound", "dust"].find(
          (candidate) => secretNamed(candidate).paymentHash === htlc.paymentHash,
        );
        if (htlc.id === 1n) p.channel.failHtlc(htlc);
        else await p.channel.fulfillHtlc(htlc, secretNamed(must(name, "name")).preimage);
      }
      await p.channel.settle();
      await p.channel.shutdown("holder", Uint8Array.of(0, 20, ...new Uint8Array(20).fill(7)));
      assert.deepEqual(p.state.holder.htlcs, []);
      let replayed = p.initial;
      const events = p.updates.flatMap((steps, index) => {
        const id = updateId(index + 1);
        const input = { ...p.updateInput(steps), updateId: id, verifySignatures: false };
        const done = step(p.ctx, replayed, input);
        assert.ok(done.ok, `replay of update ${index}`);
        replayed = done.value.state;
        return done.value.events;
      });
      assert.deepEqual(events, p.events);
      assert.deepEqual(replayed, p.state);
    });

    it("refuses a holder commitment that does not verify", async () => {
      const p = await busyChannel(channelType);
      const good = await nextOf(p, "latestHolderCommitment");
      const { commitment } = good;
      const [first, ...others] = commitment.counterpartyHtlcSignatures;
      const bad = (patch: Partial<typeof commitment>) =>
        p.refused(p.updateInput([{ ...good, commitment: { ...commitment, ...patch } }]));
      const invalid = "invalidCommitmentSignature";
      const { counterpartySignature } = commitment;
      assert.equal(bad({ counterpartySignature: flipped(counterpartySignature, 40) }), invalid);
      const flippedFirst = flipped(must(first, "signature"), 40);
      assert.equal(bad({ counterpartyHtlcSignatures: [flippedFirst, ...others] }), invalid);
      assert.equal(bad({ counterpartyHtlcSignatures: others }), invalid);
      assert.equal(bad({ txid: NOWHERE.txid }), "malformed");
      assert.equal(bad({ perCommitmentPoint: new Uint8Array(33) }), "malformed");
      const number = commitmentNumber(commitment.commitmentNumber + 1);
      assert.equal(bad({ commitmentNumber: number }), "malformed");
      const swapped = commitment.htlcs.map((htlc) => ({ ...htlc, outputIndex: 0 }));
      assert.equal(bad({ htlcs: swapped }), "malformed");
      p.update([good]);
    });

    it("refuses a counterparty commitment that is wrong or too early", async () => {
      const p = await busyChannel(channelType);
      const good = await nextOf(p, "latestCounterpartyCommitment");
      const { commitment } = good;
      const bad = (patch: Partial<typeof commitment>) =>
        p.refused(p.updateInput([{ ...good, commitment: { ...commitment, ...patch } }]));
      assert.equal(bad({ txid: txid("00".repeat(32)) }), "malformed");
      assert.equal(bad({ commitmentNumber: p.state.counterparty.commitmentNumber }), "malformed");
      assert.equal(bad({ perCommitmentPoint: new Uint8Array(33).fill(2) }), "malformed");
      p.update([good]);
      const number = commitmentNumber(commitment.commitmentNumber + 1);
      assert.equal(bad({ commitmentNumber: number }), "malformed", "the previous is not revoked");
    });

    it("refuses a secret that does not open the previous commitment", async () => {
      const p = await busyChannel(channelType);
      const good = await nextOf(p, "commitmentSecret");
      const bad = (patch: Partial<typeof good>) =>
        p.refused(p.updateInput([{ ...good, ...patch }]));
      const early = commitmentNumber(good.commitmentNumber - 1);
      const late = commitmentNumber(good.commitmentNumber + 1);
      assert.equal(bad({ secret: perCommitmentSecret(flipped(good.secret, 3)) }), "invalidSecret");
      assert.equal(bad({ secret: perCommitmentSecret(new Uint8Array(32)) }), "invalidSecret");
      assert.equal(bad({ commitmentNumber: early }), "malformed");
      assert.equal(bad({ commitmentNumber: late }), "malformed");
      p.update([good]);
      assert.equal(bad({}), "malformed", "once only");
    });

    it("applies all steps of an update or none", async () => {
      const p = await busyChannel(channelType);
      const good = await nextOf(p, "latestHolderCommitment");
      const broken = { ...good, commitment: { ...good.commitment, txid: NOWHERE.txid } };
      const { preimage } = secretNamed("inbound");
      const known = { kind: "paymentPreimage", preimage, paymentInfo: undefined } as const;
      assert.equal(p.refused(p.updateInput([known, broken])), "malformed");
      p.update([known, good]);
      assert.equal(p.state.preimages.size, 1);
    });
  });
}

describe("monitor core: steps that end things", () => {
  it("takes only preimages after channelForceClosed", async () => {
    const p = await busyChannel("static_remote_key");
    p.held = [];
    offer(p.channel, "holder", 20_000, "too late");
    await p.channel.settle();
    const late = p.held;
    p.held = undefined;
    await p.channel.forceClose("holder", true);
    for (const steps of late) {
      assert.equal(p.refused(p.updateInput(steps)), "noFurtherUpdates");
    }
    const { preimage } = secretNamed("inbound");
    const done = p.update([{ kind: "paymentPreimage", preimage, paymentInfo: undefined }]);
    assert.equal(done.afterClose, true);
  });

  for (const [first, second] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    it(`stores channelForceClosed(${second}) after (${first}) without effect (ADR M-16)`, async () => {
      const p = await busyChannel("static_remote_key");
      await p.channel.forceClose("holder", first);
      const { state, events } = p;
      const told = events.length;
      const published = p.published().map(({ txid }) => txid);
      const again = { kind: "channelForceClosed", shouldBroadcast: second, reason: "" } as const;
      const { latestUpdateId } = state;
      for (const times of [1n, 2n]) {
        assert.equal(p.update([again]).afterClose, true);
        assert.equal(p.state.latestUpdateId, latestUpdateId + times, "its id is taken");
      }
      assert.equal(p.events.length, told);
      assert.deepEqual(
        p.published().map(({ txid }) => txid),
        published,
      );
      const { latestUpdateId: _, latestUpdateHash: __, ...before } = state;
      const { latestUpdateId: ___, latestUpdateHash: ____, ...after } = p.state;
      assert.deepStrictEqual(after, before);
      const { preimage } = secretNamed("inbound");
      p.update([{ kind: "paymentPreimage", preimage, paymentInfo: undefined }]);
    });
  }

  it("takes the end of an LDK node's payment after channelForceClosed", async () => {
    const p = await busyChannel("static_remote_key");
    await p.channel.forceClose("holder", true);
    const key = sourceKey("ab".repeat(32));
    p.update([{ kind: "ldkReleasePaymentComplete", sourceKey: key }]);
  });

  it("refuses anything but a preimage behind channelForceClosed in one update", async () => {
    const p = await busyChannel("static_remote_key");
    const close = { kind: "channelForceClosed", shouldBroadcast: true, reason: "" } as const;
    const script = { kind: "shutdownScript", scriptPubkey: new Uint8Array(22) } as const;
    assert.equal(p.refused(p.updateInput([close, script])), "noFurtherUpdates");
    assert.equal(p.state.lockdown, false);
  });

  it("sets the shutdown script once", async () => {
    const p = await busyChannel("static_remote_key");
    const script = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(7));
    p.update([{ kind: "shutdownScript", scriptPubkey: script }]);
    p.update([{ kind: "shutdownScript", scriptPubkey: script }]);
    const other = flipped(script, 5);
    const input = p.updateInput([{ kind: "shutdownScript", scriptPubkey: other }]);
    assert.equal(p.refused(input), "malformed");
    assert.deepEqual(p.state.shutdownScript, script);
  });

  it("refuses a claimed entry whose preimage does not open the HTLC", async () => {
    const p = await busyChannel("static_remote_key");
    const htlc = must(p.channel.liveHtlcs()[0], "an outbound HTLC");
    p.held = [];
    await p.channel.fulfillHtlc(htlc, secretNamed("twice").preimage);
    await p.channel.settle();
    const good = must(
      p.held.flat().find((item) => item.kind === "latestHolderCommitment"),
      "told",
    );
    const wrong = good.claimed.map((item) => ({
      ...item,
      preimage: secretNamed("inbound").preimage,
    }));
    assert.equal(p.refused(p.updateInput([{ ...good, claimed: wrong }])), "malformed");
  });
});

describe("monitor core: stored state", () => {
  it("refuses changed bytes, cut bytes and another version", async () => {
    const p = await busyChannel("static_remote_key");
    const bytes = encodeState(p.state);
    for (const at of [0, 31, 32, bytes.length - 1]) {
      assert.throws(() => decodeState(flipped(bytes, at)), StateUnreadable);
    }
    for (const length of [0, 31, 32, bytes.length - 1]) {
      assert.throws(() => decodeState(bytes.subarray(0, length)), StateUnreadable);
    }
  });

  it("refuses another version although its checksum is right", async () => {
    const p = await busyChannel("static_remote_key");
    const body = encodeState(p.state).subarray(32);
    const text = new TextDecoder()
      .decode(body)
      .replace(`"version":${STATE_VERSION}`, `"version":${STATE_VERSION + 1}`);
    const other = utf8(text);
    assert.throws(() => decodeState(concatBytes(sha256(other), other)), /unknown version/u);
    assert.deepEqual(decodeState(concatBytes(sha256(body), body)), p.state);
  });
});
